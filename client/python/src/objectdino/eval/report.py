# SPDX-License-Identifier: Apache-2.0
"""Tables of a benchmark, always with what a better-looking number may have been bought with: recall, yes-ratio, length,
and what the baseline reaches with the same bias."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from objectdino.eval.answers import Answer, Coverage, Sheet
from objectdino.eval.binary import Counts, count, flip_to_ratio, threshold_to_ratio
from objectdino.eval.chair import ChairScorer, cut_to_mean_words
from objectdino.eval.mme import parse_mme, score_mme
from objectdino.eval.pope import parse_pope
from objectdino.eval.samples import Sample


@dataclasses.dataclass(frozen=True)
class Report:
    """`rows`: name to figures, in the order to show; `notes` belong under the table."""

    benchmark: str
    rows: dict[str, dict[str, float]]
    coverage: dict[str, Coverage]
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        """Figures that do not exist (0 / 0) are null."""
        rows = {
            name: {key: None if math.isnan(value) else value for key, value in row.items()}
            for name, row in self.rows.items()
        }
        coverage = {name: dataclasses.asdict(one) for name, one in self.coverage.items()}
        return {"benchmark": self.benchmark, "rows": rows, "coverage": coverage, "notes": self.notes}

    def __str__(self) -> str:
        columns = list(dict.fromkeys(key for row in self.rows.values() for key in row))
        lines = [["", *columns]]
        lines += [[name, *(_cell(key, row.get(key)) for key in columns)] for name, row in self.rows.items()]
        widths = [max(len(line[i]) for line in lines) for i in range(len(columns) + 1)]
        table = [
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        ]
        return "\n".join([*(line.rstrip() for line in table), *(f"* {note}" for note in self.notes)])


def _cell(key: str, value: float | None) -> str:
    if value is None or math.isnan(value):
        return "-"
    if key in ("n", "captions", "mentions", "other") or key in ("TP", "FP", "FN", "TN"):
        return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"
    return f"{value:.1f}" if abs(value) > 1.5 or key in ("mean words",) else f"{value:.4f}"


def _binary_row(counts: Counts, mean_words: float) -> dict[str, float]:
    return {
        "n": counts.n, "accuracy": counts.accuracy, "precision": counts.precision, "recall": counts.recall,
        "F1": counts.f1, "yes-ratio": counts.yes_ratio, "TP": counts.tp, "FP": counts.fp, "FN": counts.fn,
        "TN": counts.tn, "mean words": mean_words,
    }  # fmt: skip


def _mean_words(answers: Mapping[str, Answer]) -> float:
    return sum(len(answer.text.split()) for answer in answers.values()) / len(answers) if answers else math.nan


def _calibrated(answers: Sequence[Answer], said: Sequence[float], target: float) -> tuple[list[float], str]:
    """The answers with the yes-ratio `target`, and how they got it."""
    scores = [answer.p_yes for answer in answers]
    if scores and all(score is not None for score in scores):
        moved = threshold_to_ratio([score for score in scores if score is not None], target)
        return moved, "its threshold moved, on these very questions: an upper estimate"
    flipped = flip_to_ratio(said, target)
    return (
        flipped,
        "answers flipped at random, in expectation: a lower estimate of what moving its threshold would give",
    )


def report_pope(samples: Sequence[Sample], sheets: Mapping[str, Sheet], *, empty_is_yes: bool = False) -> Report:
    """One row an arm, then the first arm ("baseline") with the yes-ratio of each other one; of the labels if it is
    alone.

    Arms are compared on all their own answers; the coverage says whether these are the same questions.
    """
    rows: dict[str, dict[str, float]] = {}
    coverage: dict[str, Coverage] = {}
    matched: dict[str, dict[str, Answer]] = {}
    labels = {sample.id: bool(sample.label) for sample in samples}
    for arm, sheet in sheets.items():
        matched[arm], coverage[arm] = sheet.match(labels, keep_empty=empty_is_yes)
        counts = count([labels[name] for name in matched[arm]], [_pope_yes(one) for one in matched[arm].values()])
        rows[arm] = _binary_row(counts, _mean_words(matched[arm]))
    first, *others = sheets
    answers = list(matched[first].values())
    said, right = [_pope_yes(answer) for answer in answers], [labels[name] for name in matched[first]]
    targets = {arm: rows[arm]["yes-ratio"] for arm in others} or {
        "the labels": sum(right) / len(right) if right else math.nan
    }
    notes = []
    for arm, target in targets.items():
        if said and not math.isnan(target):
            biased, how = _calibrated(answers, said, target)
            name = f"{first}, yes-ratio of {arm}"
            rows[name] = {**_binary_row(count(right, biased), math.nan)}
            notes.append(f"{name}: {how}")
    return Report("POPE", rows, coverage, [*_coverage_notes(coverage), *notes])


def _pope_yes(answer: Answer) -> float:
    return float(parse_pope(answer.text) is not False)  # an empty text gets here only where it shall be a yes


def report_mme(samples: Sequence[Sample], sheets: Mapping[str, Sheet]) -> Report:
    """Scores by task and in all, beside the figures of the yes/no answers as such."""
    rows: dict[str, dict[str, float]] = {}
    coverage: dict[str, Coverage] = {}
    by_id = {sample.id: sample for sample in samples}
    matched: dict[str, dict[str, Answer]] = {}
    for arm, sheet in sheets.items():
        matched[arm], coverage[arm] = sheet.match(by_id)
        said = [_mme_yes(answer) for answer in matched[arm].values()]
        rows[arm] = _mme_row([by_id[name] for name in matched[arm]], said, _mean_words(matched[arm]))
    first, *others = sheets
    # Answers that are neither stay what they are: always wrong, and no part of the yes-ratio.
    chosen = [by_id[name] for name in matched[first]]
    said = [_mme_yes(answer) for answer in matched[first].values()]
    clear = [i for i, one in enumerate(said) if one is not None]
    labels = [bool(chosen[i].label) for i in clear]
    targets = {arm: rows[arm]["yes-ratio"] for arm in others} or {
        "the labels": sum(labels) / len(labels) if labels else math.nan
    }
    notes = []
    for arm, target in targets.items():
        if clear and not math.isnan(target):
            plain = [one for one in said if one is not None]
            biased, how = _calibrated([list(matched[first].values())[i] for i in clear], plain, target)
            shifted: list[float | None] = [None] * len(said)
            for place, value in zip(clear, biased, strict=True):
                shifted[place] = value
            name = f"{first}, yes-ratio of {arm}"
            rows[name] = _mme_row(chosen, shifted, math.nan)
            notes.append(f"{name}: {how}")
    return Report("MME", rows, coverage, [*_coverage_notes(coverage), *notes])


def _mme_yes(answer: Answer) -> float | None:
    said = parse_mme(answer.text)
    return None if said is None else float(said)


def _mme_row(samples: Sequence[Sample], said: Sequence[float | None], mean_words: float) -> dict[str, float]:
    scored = [(one.task, one.image, bool(one.label), yes) for one, yes in zip(samples, said, strict=True)]
    score = score_mme(scored)
    counts = count(
        [label for _, _, label, yes in scored if yes is not None], [yes for *_, yes in scored if yes is not None]
    )
    return {
        "perception": score.perception, "cognition": score.cognition, "MME-4": score.mme_4,
        **{name: task.score for name, task in score.tasks.items()},
        "precision": counts.precision, "recall": counts.recall, "yes-ratio": counts.yes_ratio,
        "other": len(said) - counts.n, "mean words": mean_words,
    }  # fmt: skip


def report_chair(samples: Sequence[Sample] | None, sheets: Mapping[str, Sheet], scorer: ChairScorer) -> Report:
    """One row an arm, then the first arm with its captions cut to the mean length of each other one.

    `samples`: the images asked for; None: those of the first arm's answers.
    """
    rows: dict[str, dict[str, float]] = {}
    coverage: dict[str, Coverage] = {}
    captions: dict[str, dict[str, str]] = {}
    first, *others = sheets
    ids = list(sheets[first].answers) if samples is None else [sample.id for sample in samples]
    unknown = [name for name in ids if not scorer.knows(name)]
    if unknown:
        raise ValueError(f"{len(unknown)} images have no ground truth, the first is {unknown[0]}")
    for arm, sheet in sheets.items():
        answered, coverage[arm] = sheet.match(ids)
        captions[arm] = {name: answer.text for name, answer in answered.items()}
        rows[arm] = _chair_row(scorer, captions[arm])
    notes = []
    for arm in others:
        target = rows[arm]["mean words"]
        if not math.isnan(target):
            name = f"{first}, length of {arm}"
            rows[name] = _chair_row(scorer, cut_to_mean_words(captions[first], target))
            notes.append(
                f"{name}: captions cut after the same number of words, so that their mean length is at most that"
            )
    return Report("CHAIR", rows, coverage, [*_coverage_notes(coverage), *notes])


def _chair_row(scorer: ChairScorer, captions: Mapping[str, str]) -> dict[str, float]:
    score = scorer.score(captions)
    return {
        "captions": score.captions, "CHAIR_s": score.chair_s, "CHAIR_i": score.chair_i, "precision": score.precision,
        "recall": score.recall, "mentions": score.mentions, "mean words": score.mean_words,
    }  # fmt: skip


def _coverage_notes(coverage: Mapping[str, Coverage]) -> list[str]:
    return [f"{arm}: {one}" for arm, one in coverage.items()]
