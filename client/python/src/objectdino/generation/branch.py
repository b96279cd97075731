# SPDX-License-Identifier: Apache-2.0
"""Sequences that are decoded token by token from outside, with a KV cache of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch


class Branch:
    """One prompt with its image, or several in a batch, and the cache that grows with them.

    `model.generate` itself prepares the inputs (it is given a decoding method that only takes them over), and the
    model's own methods make the inputs of each step, so that whatever a class of models does before and between
    steps is done here, too: Q-Former embeddings (InstructBLIP), pixels in the first step only, positions under left
    padding.

    Qwen's models keep the offset of the positions behind an image, `rope_deltas`, in the model instead of the
    cache. A branch swaps its own in around each forward pass and puts back what was there: other generations with
    the same model, between two steps of this one, neither disturb it nor are disturbed.

    Thread-safety: none, and one thread at a time for a model, as for transformers itself.
    """

    def __init__(self, model: Any, inputs: Mapping[str, Any], **options: Any) -> None:
        """`options` are generate's; afterwards `logits_processor`, `stopping_criteria` and `generation_config` are
        what it made of them, for `ids` [B, T], the prompt."""
        self._rope_holders = [module for module in model.modules() if hasattr(module, "rope_deltas")]
        self._rope_deltas: list[Any] = [None] * len(self._rope_holders)
        self._model: Any = None
        model.generate(**inputs, **{"num_beams": 1, **options}, custom_generate=self._take_over)
        if self._model is None:
            raise ValueError(
                f"{type(model).__name__}.generate takes no decoding method: dual-branch decoding needs one"
            )

    def _take_over(
        self,
        model: Any,
        input_ids: torch.Tensor,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **model_kwargs: Any,
    ) -> torch.Tensor:
        if model.config.is_encoder_decoder:
            raise ValueError("dual-branch decoding is for decoder-only language models, this is an encoder-decoder")
        self._model, self.ids = model, input_ids
        self.logits_processor, self.stopping_criteria = logits_processor, stopping_criteria
        self.generation_config = generation_config
        width = input_ids.shape[1]
        self._kwargs = model._get_initial_cache_position(width, input_ids.device, model_kwargs)
        mask = model_kwargs.get("attention_mask")
        self._is_padded = mask is not None and bool((mask == 0).any())
        return input_ids

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def logits(self) -> torch.Tensor:  # [B, V] float32
        """Of the token to come. Once for every token: the first call reads the prompt and the image."""
        with self._own_rope_deltas():
            inputs = self._model.prepare_inputs_for_generation(self.ids, **self._kwargs)
            self._spare_the_mask(inputs)
            outputs = self._model(**inputs, return_dict=True)
        self._kwargs = self._model._update_model_kwargs_for_generation(outputs, self._kwargs)
        return outputs.logits[:, -1, :].to(dtype=torch.float32, device=self.ids.device, copy=True)

    def append(self, tokens: torch.Tensor) -> None:  # [B]
        self.ids = torch.cat([self.ids, tokens.to(self.ids)[:, None]], dim=1)  # [B, T + 1]

    def _spare_the_mask(self, inputs: dict[str, Any]) -> None:
        """For one token behind padding, the mask is the padding itself. transformers would build it from functions,
        anew for each token, at the price of several layers of a small model; only where it is that simple, it is
        given ready."""
        mask, cache = inputs.get("attention_mask"), inputs.get("past_key_values")
        is_simple = (
            self._is_padded
            and getattr(mask, "ndim", 0) == 2
            and inputs["cache_position"].shape[0] == 1
            and self._model.config.get_text_config()._attn_implementation == "sdpa"
            and not getattr(cache, "is_compileable", True)
            and not any(getattr(cache, "is_sliding", [True]))
        )
        if is_simple and mask is not None:
            inputs["attention_mask"] = mask[:, None, None, :].bool()  # [B, 1, 1, T]

    @contextlib.contextmanager
    def _own_rope_deltas(self) -> Iterator[None]:
        others = [holder.rope_deltas for holder in self._rope_holders]
        try:
            for holder, own in zip(self._rope_holders, self._rope_deltas, strict=True):
                holder.rope_deltas = own
            yield
            self._rope_deltas = [holder.rope_deltas for holder in self._rope_holders]
        finally:
            for holder, other in zip(self._rope_holders, others, strict=True):
                holder.rope_deltas = other
