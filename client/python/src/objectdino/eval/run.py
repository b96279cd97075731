# SPDX-License-Identifier: Apache-2.0
"""Asks a model all questions of a benchmark, without and with grounding."""

from __future__ import annotations

import collections
import pathlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from objectdino.eval.journal import Journal
from objectdino.eval.models import Ask
from objectdino.eval.samples import Sample

BASELINE, GROUNDED = "baseline", "grounded"


class ImageGroundings:
    """Grounds each image once for all its questions. Thread-safe; keeps the last few images."""

    def __init__(self, ground: Callable[[pathlib.Path], Any], keep: int = 32) -> None:
        self._ground, self._keep = ground, keep
        self._lock = threading.Lock()
        self._kept: collections.OrderedDict[pathlib.Path, Any] = collections.OrderedDict()

    def __call__(self, image: pathlib.Path) -> Any:
        with self._lock:
            if image in self._kept:
                self._kept.move_to_end(image)
                return self._kept[image]
        grounding = self._ground(image)  # two threads may both do it, which costs time and nothing else
        with self._lock:
            self._kept[image] = grounding
            while len(self._kept) > self._keep:
                self._kept.popitem(last=False)
        return grounding


def run(
    samples: Sequence[Sample],
    images: pathlib.Path,
    ask: Ask,
    ground: Callable[[pathlib.Path], Any] | None,
    journal: Journal,
    *,
    concurrency: int = 1,
    progress: Callable[[int], Any] = lambda count: None,
) -> int:
    """Answers what the journal lacks and returns how many of the answers are errors.

    What goes wrong with one question, a grounding server that cannot be reached among it, is recorded as its error:
    an answer that was made without the guidance it should have had does not count as a grounded one. Every
    exception is an error of its question; only the journal's own stop the run. `progress` is told of each question
    that is done.
    """
    arms = [BASELINE] if ground is None else [BASELINE, GROUNDED]
    todo = [(arm, sample) for sample in samples for arm in arms if (arm, sample.id) not in journal.done]
    progress(len(samples) * len(arms) - len(todo))
    failures = 0

    def one(arm: str, sample: Sample) -> bool:
        path = images / sample.image
        try:
            grounding = ground(path) if arm == GROUNDED and ground is not None else None
            answer = ask(path, sample.question, grounding)
        except Exception as error:
            record: dict[str, Any] = {"error": f"{type(error).__name__}: {error}"}
        else:
            record = {"text": answer.text, **({} if answer.p_yes is None else {"p_yes": answer.p_yes})}
        journal.append(arm, sample.id, {"image": sample.image, **record})
        progress(1)
        return "error" in record

    with ThreadPoolExecutor(max_workers=concurrency) as pool:
        pending = [pool.submit(one, arm, sample) for arm, sample in todo]
        try:
            for future in pending:
                failures += future.result()
        except BaseException:
            for future in pending:
                future.cancel()
            wait(pending)
            raise
    return failures
