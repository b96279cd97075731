# SPDX-License-Identifier: Apache-2.0
"""The two prompts of guided decoding: one for the photograph, one for its highlighted copy."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class PromptPair:
    """`{question}` in a template stands for the caller's question; a template without it takes none."""

    original: str
    highlighted: str

    def fill(self, question: str | None) -> tuple[str, str]:
        """Both prompts. Raises ValueError where the templates ask for a question and there is none."""
        if question is None and "{question}" in self.original + self.highlighted:
            raise ValueError("these prompts ask for a question")
        question = question or ""
        # Not str.format: a question may hold braces.
        return (
            self.original.replace("{question}", question),
            self.highlighted.replace("{question}", question),
        )


# The published prompts, word for word: POPE and MME, and captions for CHAIR.
ANSWER = PromptPair(
    "Answer this question based on the image: {question}",
    "Answer this question by looking at the highlighted region: {question}",
)
DESCRIBE = PromptPair(
    "Please describe this image in detail.",
    "Please describe the highlighted regions in this image.",
)


def choose(prompts: PromptPair | None, question: str | None) -> PromptPair:
    """The given pair, or the published one: DESCRIBE without a question, ANSWER with one."""
    return prompts or (DESCRIBE if question is None else ANSWER)
