# SPDX-License-Identifier: Apache-2.0
"""Dual-branch decoding inside `model.generate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import LogitsProcessor

from objectdino.generation.blend import Blend, blend_logits, check_blend
from objectdino.generation.branch import Branch


class DualBranchLogitsProcessor(LogitsProcessor):  # type: ignore[misc]
    """Blends the logits of `generate` with those of a second branch, which keeps a KV cache of its own.

        inputs = prepare_inputs(model, processor, image, text)
        guided = prepare_inputs(model, processor, grounding.highlight(image), highlighted_text)
        model.generate(**inputs, logits_processor=[DualBranchLogitsProcessor(model, guided)], do_sample=True)

    The second branch may have a prompt of another length, but the same number of rows as the first. Greedy decoding and
    sampling only: beam search and assisted decoding reorder or take back tokens, and raise ValueError. One processor
    serves one call of `generate`. dual_branch_generate does the same in one batch of two, with less overhead.
    """

    def __init__(
        self,
        model: Any,
        highlighted_inputs: Mapping[str, torch.Tensor],
        *,
        alpha: float = 0.4,
        beta: float = 0.1,
        blend: Blend = "interpolate",
    ) -> None:
        check_blend(alpha, beta, blend)
        self._alpha, self._beta, self._blend = alpha, beta, blend
        # The lengths are generate's business; the limit here only keeps transformers from warning about its default.
        self._branch = Branch(model, highlighted_inputs, do_sample=False, max_new_tokens=4096)
        self._seen: torch.Tensor | None = None  # [B, T]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if scores.shape[0] != self._branch.ids.shape[0]:
            raise ValueError(
                f"dual-branch decoding: {scores.shape[0]} rows of scores for {self._branch.ids.shape[0]} of the second "
                "branch (beam search and several sequences per prompt are not possible)"
            )
        if self._seen is not None:
            if input_ids.shape[1] != self._seen.shape[1] + 1 or not torch.equal(input_ids[:, :-1], self._seen):
                raise ValueError(
                    "dual-branch decoding: the tokens do not continue those of the last step (beam search and assisted "
                    "decoding are not possible, and each call of generate needs a processor of its own)"
                )
            self._branch.append(input_ids[:, -1])
        self._seen = input_ids
        highlighted = self._branch.logits().to(scores.device)
        return blend_logits(scores, highlighted, alpha=self._alpha, beta=self._beta, blend=self._blend)
