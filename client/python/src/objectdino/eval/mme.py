# SPDX-License-Identifier: Apache-2.0
"""MME (Fu et al. 2023): two questions an image; accuracy, and accuracy of getting both right, for each task."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

# The hallucination subset that papers report as MME-4, all of them perception.
MME_4 = ("existence", "count", "position", "color")
COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")


@dataclasses.dataclass(frozen=True)
class TaskScore:
    """`score` = 100 (accuracy + accuracy_plus), at most 200. `incomplete` images lack the answer to a question."""

    accuracy: float
    accuracy_plus: float
    questions: int
    images: int
    incomplete: int

    @property
    def score(self) -> float:
        return 100 * (self.accuracy + self.accuracy_plus)


@dataclasses.dataclass(frozen=True)
class MmeScore:
    """Totals are over the tasks that are there; `mme_4` is NaN unless all four are."""

    tasks: dict[str, TaskScore]

    @property
    def perception(self) -> float:
        return sum(task.score for name, task in self.tasks.items() if name not in COGNITION)

    @property
    def cognition(self) -> float:
        return sum(task.score for name, task in self.tasks.items() if name in COGNITION)

    @property
    def mme_4(self) -> float:
        if not all(name in self.tasks for name in MME_4):
            return math.nan
        return sum(self.tasks[name].score for name in MME_4)


def parse_mme(text: str) -> bool | None:
    """MME's reading: yes or no within the first four characters, in any case; None (always wrong) for all else."""
    head = text.strip().lower()[:4]
    return True if "yes" in head else False if "no" in head else None


def score_mme(answers: Sequence[tuple[str, str, bool, float | None]]) -> MmeScore:
    """From (task, image, whether yes is right, probability of having said yes). None as answer: neither yes nor no."""
    right: dict[str, dict[str, list[float]]] = {}
    for task, image, label, said in answers:
        chance = 0.0 if said is None else said if label else 1 - said
        right.setdefault(task, {}).setdefault(image, []).append(chance)
    tasks = {}
    for task, images in sorted(right.items()):
        pairs = [chances for chances in images.values() if len(chances) == 2]
        every = [chance for chances in images.values() for chance in chances]
        tasks[task] = TaskScore(
            accuracy=sum(every) / len(every),
            accuracy_plus=sum(a * b for a, b in pairs) / len(pairs) if pairs else math.nan,
            questions=len(every),
            images=len(pairs),
            incomplete=len(images) - len(pairs),
        )
    return MmeScore(tasks)
