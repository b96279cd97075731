# SPDX-License-Identifier: Apache-2.0
"""What is asked: the questions of a benchmark."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from objectdino.eval.answers import coco_id, field, question_id, read_rows

_LABELS = {"yes": True, "no": False}


@dataclasses.dataclass(frozen=True)
class Sample:
    """`image`: a file name; `question`: None asks for a description; `label`: whether yes is right."""

    id: str
    image: str
    question: str | None = None
    label: bool | None = None
    task: str = ""


def load_pope(path: str | pathlib.Path) -> list[Sample]:
    """Rows {question_id, image, text, label}. Labels alone ({id, image, label}) do for scoring."""
    return _unique([_from_row(row) for row in read_rows(path)])


def load_mme(path: str | pathlib.Path) -> list[Sample]:
    """JSON rows {id, image, task, question, label}, or MME's own folder: a file TASK.txt for each task, with lines
    image <tab> question <tab> Yes|No (<tab> an answer, which is not read)."""
    if not pathlib.Path(path).is_dir():
        return _unique([_from_row(row) for row in read_rows(path)])
    samples = []
    for file in sorted(pathlib.Path(path).glob("*.txt")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            columns = line.split("\t")
            if not line.strip():
                continue
            if len(columns) < 3:
                raise ValueError(f"{file}:{number}: an image, a question and a label are needed, with tabs between")
            label = _label(columns[2])
            samples.append(Sample(f"{file.stem}/{number}", columns[0], columns[1], label, file.stem))
    return _unique(samples)


def load_images(path: str | pathlib.Path) -> list[Sample]:
    """Images to describe: JSON rows {image}, or a file name a line. The id is COCO's image id."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    if text.lstrip()[:1] in ("{", "["):
        names = [str(field(row, "image", "image_id", "file_name")) for row in read_rows(path)]
    else:
        names = [line.strip() for line in text.splitlines() if line.strip()]
    return _unique([Sample(coco_id(name), name) for name in names])


def _from_row(row: Mapping[str, Any]) -> Sample:
    question = row.get("question", row.get("text"))
    image = str(field(row, "image", "image_id"))
    return Sample(question_id(row), image, question, _label(field(row, "label")), str(row.get("task", "")))


def _label(text: Any) -> bool:
    try:
        return _LABELS[str(text).strip().lower()]
    except KeyError:
        raise ValueError(f"a label must be yes or no, not {text!r}") from None


def _unique(samples: list[Sample]) -> list[Sample]:
    seen: set[str] = set()
    for sample in samples:
        if sample.id in seen:
            raise ValueError(f"two questions have the id {sample.id}")
        seen.add(sample.id)
    if not samples:
        raise ValueError("there are no questions in it")
    return samples
