# SPDX-License-Identifier: Apache-2.0
"""POPE's reading of an answer (Li et al. 2023)."""

from __future__ import annotations


def parse_pope(text: str) -> bool | None:
    """True for yes: no word of the first sentence is "No", "no" or "not". None: the text is empty, which is no answer
    (POPE's own script counts it as yes)."""
    if not text.strip():
        return None
    words = text.split(".")[0].replace(",", "").split(" ")
    return not any(word in ("No", "no", "not") for word in words)
