# SPDX-License-Identifier: Apache-2.0
"""Dual-branch decoding of a yes/no answer from the most likely first tokens of two calls."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal

# How tokenizers mark a space before a word, and what models put around an answer.
_AROUND = " \t\n▁Ġ\"'.,!*:"


@dataclasses.dataclass(frozen=True)
class YesNo:
    """An answer from log-probabilities.

    answer       None if it stays open: neither word is among the likely tokens of any call, or both weigh the same
    p_yes        of the two words, blended; None with answer
    exact        whole distributions would have given the same answer
    p_original, p_highlighted   p_yes of each call by itself; None where it lists neither word, or was not made
    degraded     why there was one call only; empty otherwise
    """

    answer: Literal["yes", "no"] | None
    p_yes: float | None
    exact: bool
    p_original: float | None
    p_highlighted: float | None
    degraded: str = ""


def blend_yes_no(
    original: Mapping[str, float], highlighted: Mapping[str, float] | None, *, alpha: float = 0.4, degraded: str = ""
) -> YesNo:
    """The answer that greedy dual-branch decoding begins with, from {token: log-probability} of each call's first
    token.

    With all distributions at hand, each token weighs alpha log p_original + (1 - alpha) log p_highlighted, and the
    best of "Yes", "yes", " YES", ... stands against the best of "No", .... An API lists only the top tokens: for
    one that a call does not list, its smallest listed value is used, which is the most that it can be. `exact` says
    whether the answer holds whatever the hidden values are. highlighted=None: the answer of the original call
    alone.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be in [0, 1], not {alpha}")
    calls = [(1.0, original)] if highlighted is None else [(alpha, original), (1 - alpha, highlighted)]
    if not all(listed for _, listed in calls):
        raise ValueError("a call lists no tokens: does the endpoint return log-probabilities?")
    single = [_p_yes(listed) for _, listed in calls]
    most = dict.fromkeys(("yes", "no"), -math.inf)
    least = dict(most)
    unseen = sum(weight * min(listed.values()) for weight, listed in calls)
    for token in set().union(*(listed for _, listed in calls)):
        word = _word(token)
        if word in most:
            value = sum(weight * listed.get(token, min(listed.values())) for weight, listed in calls)
            most[word] = max(most[word], value)
            if all(token in listed for weight, listed in calls if weight > 0):
                least[word] = max(least[word], value)
    is_seen = max(most.values()) > -math.inf
    most = {word: max(value, unseen) for word, value in most.items()}
    answer: Literal["yes", "no"] | None = None
    if is_seen and most["yes"] != most["no"]:
        answer = "yes" if most["yes"] > most["no"] else "no"
    exact = answer is not None and least[answer] >= most["no" if answer == "yes" else "yes"]
    p_yes = None if answer is None else 1 / (1 + math.exp(most["no"] - most["yes"]))
    return YesNo(answer, p_yes, exact, single[0], single[1] if len(single) > 1 else None, degraded)


def _word(token: str) -> str:
    return token.strip(_AROUND).lower()


def _p_yes(listed: Mapping[str, float]) -> float | None:
    sums = {word: sum(math.exp(p) for token, p in listed.items() if _word(token) == word) for word in ("yes", "no")}
    total = sums["yes"] + sums["no"]
    return sums["yes"] / total if total > 0 else None
