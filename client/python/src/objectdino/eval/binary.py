# SPDX-License-Identifier: Apache-2.0
"""Yes/no answers against labels, and what a shift towards yes or no alone would have done.

An answer is the probability of having said yes: 1 or 0 for an answer that was given, in between for an expected one. So
calibrated baselines are exact expectations, without random numbers.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Counts:
    """True and false positives and negatives; whole numbers for given answers. Ratios of nothing are NaN."""

    tp: float
    fp: float
    fn: float
    tn: float

    @property
    def n(self) -> float:
        return self.tp + self.fp + self.fn + self.tn

    @property
    def accuracy(self) -> float:
        return _ratio(self.tp + self.tn, self.n)

    @property
    def precision(self) -> float:
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def yes_ratio(self) -> float:
        return _ratio(self.tp + self.fp, self.n)


def count(labels: Sequence[bool], said_yes: Sequence[float]) -> Counts:
    """`labels[i]`: whether yes is right; `said_yes[i]` in [0, 1]."""
    pairs = list(zip(labels, said_yes, strict=True))
    tp = sum(yes for label, yes in pairs if label)
    fp = sum(yes for label, yes in pairs if not label)
    positives = sum(map(bool, labels))
    return Counts(tp, fp, positives - tp, len(pairs) - positives - fp)


def flip_to_ratio(said_yes: Sequence[float], target: float) -> list[float]:
    """The answers after flipping, at random, just enough of them from yes to no (or from no to yes) that the share
    of yes is `target`; as expectations. It knows nothing of images: what it gains, a mere habit of saying no
    gains."""
    n, total = len(said_yes), float(sum(said_yes))
    wanted = target * n
    if wanted <= total:
        return [yes * (wanted / total if total else 0.0) for yes in said_yes]
    share = (wanted - total) / (n - total)
    return [yes + (1 - yes) * share for yes in said_yes]


def threshold_to_ratio(p_yes: Sequence[float], target: float) -> list[float]:
    """Yes for the `target` share with the highest p_yes: the same model with its threshold moved. Answers that tie at
    the threshold share what is left."""
    remaining = target * len(p_yes)
    said = [0.0] * len(p_yes)
    ranked = sorted(range(len(p_yes)), key=lambda i: -p_yes[i])
    for _, group in itertools.groupby(ranked, key=lambda i: p_yes[i]):
        tied = list(group)
        share = min(1.0, max(0.0, remaining) / len(tied))
        for i in tied:
            said[i] = share
        remaining -= len(tied)
    return said


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
