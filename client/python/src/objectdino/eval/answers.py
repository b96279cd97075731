# SPDX-License-Identifier: Apache-2.0
"""Answers, matched by id: never by position, and an error is never an answer."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Answer:
    """Either a text or an error. `p_yes`: where the model gave its probability of yes."""

    text: str = ""
    error: str = ""
    p_yes: float | None = None


@dataclasses.dataclass(frozen=True)
class Coverage:
    """What became of the questions: asked = answered + missing + errors + empty. `unknown`: answers to no question that
    was asked; `repeated`: answers that a later one of the same id replaced."""

    asked: int
    answered: int
    missing: int
    errors: int
    empty: int
    unknown: int
    repeated: int

    def __str__(self) -> str:
        lacks = ("missing", "errors", "empty", "unknown", "repeated")
        notes = [f"{getattr(self, name)} {name}" for name in lacks if getattr(self, name)]
        return f"{self.answered} of {self.asked} answered" + (f" ({', '.join(notes)})" if notes else "")


@dataclasses.dataclass(frozen=True)
class Sheet:
    """Answers by id."""

    answers: dict[str, Answer]
    repeated: int = 0

    def match(self, ids: Iterable[str], *, keep_empty: bool = False) -> tuple[dict[str, Answer], Coverage]:
        """The answers to these questions, in their order, and what became of the others."""
        asked, answered, missing, errors, empty = list(ids), {}, 0, 0, 0
        for name in asked:
            answer = self.answers.get(name)
            if answer is None:
                missing += 1
            elif answer.error:
                errors += 1
            elif not answer.text.strip() and not keep_empty:
                empty += 1
            else:
                answered[name] = answer
        unknown = len(self.answers.keys() - set(asked))
        return answered, Coverage(len(asked), len(answered), missing, errors, empty, unknown, self.repeated)


def read_rows(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines, or of one JSON array."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.lstrip().startswith("["):
        yield from json.loads(text)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{os.fspath(path)}:{number}: {error}") from error
            if not isinstance(row, dict):
                raise ValueError(f"{os.fspath(path)}:{number}: not a JSON object")
            yield row


def field(row: Mapping[str, Any], *names: str) -> Any:
    """The first of these keys that is there. ValueError: none."""
    for name in names:
        if name in row:
            return row[name]
    raise ValueError(f"a row has none of the keys {', '.join(names)}: {json.dumps(row)[:120]}")


def question_id(row: Mapping[str, Any]) -> str:
    return str(field(row, "question_id", "id"))


def coco_id(name: str | int) -> str:
    """The number of a COCO image, from itself or its file name: COCO_val2014_000000310196.jpg -> 310196."""
    digits = re.search(r"(\d+)(\.\w+)?$", str(name))
    if digits is None:
        raise ValueError(f"{name!r} names no COCO image")
    return str(int(digits.group(1)))


def caption_id(row: Mapping[str, Any]) -> str:
    return coco_id(field(row, "image_id", "image", "id"))


def to_answer(row: Mapping[str, Any]) -> Answer:
    """Old scripts write errors into the text: these are errors, too."""
    if row.get("error"):
        return Answer(error=str(row["error"]))
    text = str(field(row, "text", "answer", "caption"))
    if text.startswith("ERROR:"):
        return Answer(error=text)
    return Answer(text, p_yes=row.get("p_yes"))


def load_answers(
    path: str | os.PathLike[str], id_of: Callable[[Mapping[str, Any]], str] = question_id, arm: str | None = None
) -> Sheet:
    """Answers of a file; of one arm of a journal. A later answer replaces an earlier one of the same id."""
    answers: dict[str, Answer] = {}
    repeated = 0
    for row in read_rows(path):
        if "journal" in row or (arm is not None and row.get("arm") != arm):
            continue
        name, answer = id_of(row), to_answer(row)
        repeated += name in answers and not answers[name].error
        answers[name] = answer
    return Sheet(answers, repeated)


def arms_of(path: str | os.PathLike[str]) -> list[str]:
    """The arms of a journal; empty for other files."""
    return sorted({str(row["arm"]) for row in read_rows(path) if "arm" in row and "journal" not in row})
