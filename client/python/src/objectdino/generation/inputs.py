# SPDX-License-Identifier: Apache-2.0
"""From an image and a prompt to a model's inputs, and from the inputs of two branches to one batch."""

from __future__ import annotations

from typing import Any

import torch

# Read from the right end, as their sequence is decoded; others of their length are the Q-Former's, read from the left.
_LEFT_PADDED = {"input_ids": None, "attention_mask": 0, "token_type_ids": 0, "mm_token_type_ids": 0}
_RIGHT_PADDED = {"qformer_input_ids": 0, "qformer_attention_mask": 0}


def prompt_text(model: Any, processor: Any, prompt: str) -> str:
    """The prompt as the model expects it: by the processor's chat template; bare for InstructBLIP, whose processor adds
    the image; else behind the image token."""
    if getattr(processor, "chat_template", None):
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        messages = [{"role": "user", "content": content}]
        return str(processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
    if hasattr(processor, "qformer_tokenizer"):
        return prompt
    token = getattr(processor, "image_token", None)
    if token is None:
        raise ValueError(
            f"{type(processor).__name__} has neither a chat template nor an image token: give format_prompt"
        )
    return f"{token}\n{prompt}"


def prepare_inputs(model: Any, processor: Any, image: Any, text: str) -> dict[str, torch.Tensor]:
    """What the processor makes of one image and one formatted prompt, on the model's device and in its type."""
    inputs = processor(images=image, text=text, return_tensors="pt")
    return {
        name: value.to(model.device, model.dtype) if value.is_floating_point() else value.to(model.device)
        for name, value in inputs.items()
    }


def pad_id(processor: Any) -> int:
    """Some token for the places that the attention mask hides."""
    tokenizer = getattr(processor, "tokenizer", processor)
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0


def collate(
    original: dict[str, torch.Tensor], highlighted: dict[str, torch.Tensor], pad: int
) -> dict[str, torch.Tensor] | None:
    """Both branches as one batch, row 0 the original; None if they do not go together (images of other sizes)."""
    if original.keys() != highlighted.keys():
        return None
    batch = {}
    for name, first in original.items():
        second = highlighted[name]
        if name in _LEFT_PADDED or name in _RIGHT_PADDED:
            fill = _LEFT_PADDED.get(name, 0)
            width = max(first.shape[1], second.shape[1])
            rows = [_pad(row, width, pad if fill is None else fill, name in _LEFT_PADDED) for row in (first, second)]
            batch[name] = torch.cat(rows)  # [2, T]
        elif first.shape[1:] == second.shape[1:]:
            batch[name] = torch.cat([first, second])
        else:
            return None
    return batch


def _pad(rows: torch.Tensor, width: int, value: int, left: bool) -> torch.Tensor:  # [B, T] -> [B, width]
    missing = width - rows.shape[1]
    return torch.nn.functional.pad(rows, (missing, 0) if left else (0, missing), value=value)
