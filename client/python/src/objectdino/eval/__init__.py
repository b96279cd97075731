# SPDX-License-Identifier: Apache-2.0
"""POPE, CHAIR and MME with and without grounding: `python -m objectdino.eval pope|chair|mme run|score --help`.

Runs a model (a Python callable, an OpenAI-style endpoint or a Hugging Face model) over a benchmark, resumable, or
scores existing answers. Scoring needs no extra; a run needs `eval`, and `hf` for a Hugging Face model. The
benchmarks' questions, images and ground truth are the user's own. docs/grounding.md is the guide.
"""

from objectdino.eval.answers import Answer, Coverage, Sheet, load_answers
from objectdino.eval.binary import Counts, count, flip_to_ratio, threshold_to_ratio
from objectdino.eval.chair import ChairScore, ChairScorer
from objectdino.eval.mme import MmeScore, TaskScore, parse_mme, score_mme
from objectdino.eval.pope import parse_pope

__all__ = [
    "Answer",
    "ChairScore",
    "ChairScorer",
    "Counts",
    "Coverage",
    "MmeScore",
    "Sheet",
    "TaskScore",
    "count",
    "flip_to_ratio",
    "load_answers",
    "parse_mme",
    "parse_pope",
    "score_mme",
    "threshold_to_ratio",
]
