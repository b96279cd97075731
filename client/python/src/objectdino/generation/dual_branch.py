# SPDX-License-Identifier: Apache-2.0
"""The paper's guided decoding as one call, with caches."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch

from objectdino.generation.blend import Blend, blend_logits, check_blend
from objectdino.generation.branch import Branch
from objectdino.generation.inputs import collate, pad_id, prepare_inputs, prompt_text
from objectdino.guidance import Guidance, PromptPair, guide, load_image
from objectdino.guidance.prompts import choose

# Options of generate under which tokens are reordered, taken back or come from elsewhere; with what turns them off.
_REFUSED: dict[str, tuple[Any, ...]] = {
    "num_beams": (None, 1),
    "num_beam_groups": (None, 1),
    "num_return_sequences": (None, 1),
    "assistant_model": (None,),
    "prompt_lookup_num_tokens": (None,),
    "assistant_early_exit": (None,),
    "penalty_alpha": (None,),
    "dola_layers": (None,),
    "guidance_scale": (None, 1),
    "constraints": (None,),
    "force_words_ids": (None,),
    "custom_generate": (None,),
    "use_cache": (None, True),
}


@dataclasses.dataclass(frozen=True)
class DualBranchResult:
    """`branches` is 2, or 1 without guidance; `degraded` then says why, and is empty if that was the caller's choice.
    `finished`: the model ended the text itself. `logits` [T, V]: the blended ones, if asked for."""

    text: str
    token_ids: tuple[int, ...]
    finished: bool
    branches: int
    degraded: str
    prompts: tuple[str, ...]
    guidance: Guidance
    logits: torch.Tensor | None = dataclasses.field(default=None, repr=False)


@torch.no_grad()  # type: ignore[untyped-decorator]
def dual_branch_generate(
    model: Any,
    processor: Any,
    image: Any,
    question: str | None,
    grounding: Any,
    *,
    alpha: float = 0.4,
    beta: float = 0.1,
    blend: Blend = "interpolate",
    do_sample: bool = False,
    temperature: float = 1.0,
    top_p: float = 1.0,
    max_new_tokens: int = 64,
    seed: int | None = None,
    style: str = "tint",
    prompts: PromptPair | None = None,
    format_prompt: Callable[[str], str] | None = None,
    batched: bool = True,
    return_logits: bool = False,
    streamer: Any = None,
    **options: Any,
) -> DualBranchResult:
    """Answers `question` about `image` (None: describes it), guided by its highlighted copy.

    model, processor   of transformers, with a decoder-only language model: LLaVA, InstructBLIP, Qwen2-VL and their like
    image              PIL image, path, encoded bytes or uint8 array [H, W, 3]
    grounding          a Grounding, a GroundingClient, a highlighted PIL image, or None for a single branch on
                       purpose. A client whose server is down, overloaded or late gives a single branch, a
                       GroundingUnavailableWarning and `degraded` in the result
    alpha, beta, blend as blend_logits has them. The published method is 0.4, 0 and interpolate
    seed               of the sampling; None uses Torch's global state, as generate does
    prompts            the two prompts; by default the published ones (ANSWER with a question, DESCRIBE without)
    format_prompt      from a prompt to the model's text; by default the processor's chat template
    batched            both branches in one batch of two, where their images have the same shape; else one after the
                       other
    streamer           gets the tokens of the answer as they come
    options            any of generate's for greedy decoding and sampling (repetition_penalty, top_k, eos_token_id,
                       ...). Beam search, assisted decoding and the like raise ValueError

    The end of the text is that of the blended distribution. Cost: with caches, about one more forward pass per
    token, or one of two rows. Memory: two KV caches.
    """
    check_blend(alpha, beta, blend)
    _check_options(options, max_new_tokens)
    picture = load_image(image)
    guidance = guide(grounding, image, style=style)
    texts = choose(prompts, question).fill(question)
    pictures = [picture] if guidance.highlighted is None else [picture, guidance.highlighted]
    asked = texts[: len(pictures)]
    to_text = format_prompt or (lambda prompt: prompt_text(model, processor, prompt))
    inputs = [
        prepare_inputs(model, processor, shown, to_text(prompt)) for shown, prompt in zip(pictures, asked, strict=True)
    ]
    pad = options.get("pad_token_id", pad_id(processor))
    sampling = {"temperature": temperature, "top_p": top_p} if do_sample else {}
    options = {"pad_token_id": pad, **options, **sampling, "do_sample": do_sample, "max_new_tokens": max_new_tokens}
    branches, ids = _start(model, inputs, pad, batched, options)

    first = branches[0]
    generator = None if seed is None else torch.Generator(ids.device).manual_seed(seed)
    ends = first.generation_config._eos_token_tensor
    tokens: list[int] = []
    kept: list[torch.Tensor] = []
    while len(tokens) < max_new_tokens:
        rows = torch.cat([branch.logits() for branch in branches])  # [1 or 2, V]
        blended = _blend(rows, alpha, beta, blend)
        if return_logits:
            kept.append(blended)
        scores = first.logits_processor(ids, blended)  # [1, V]
        if not scores.isfinite().any():  # what is plausible is what an option forbids: the end before min_new_tokens
            scores = first.logits_processor(ids, _blend(rows, alpha, 0.0, blend))
        if do_sample:
            token = torch.multinomial(scores.softmax(-1), 1, generator=generator)[0]  # [1]
        else:
            token = scores.argmax(-1)
        tokens.append(int(token))
        ids = torch.cat([ids, token[:, None]], dim=1)
        if streamer is not None:
            streamer.put(token.cpu())
        if bool(first.stopping_criteria(ids, None)[0]):
            break
        for branch in branches:
            branch.append(token.expand(branch.ids.shape[0]))
    if streamer is not None:
        streamer.end()

    tokenizer = getattr(processor, "tokenizer", processor)
    return DualBranchResult(
        text=tokenizer.decode(tokens, skip_special_tokens=True).strip(),
        token_ids=tuple(tokens),
        finished=ends is not None and tokens[-1] in ends.flatten().tolist(),
        branches=len(pictures),
        degraded=guidance.degraded,
        prompts=asked,
        guidance=guidance,
        logits=torch.cat(kept) if return_logits else None,
    )


def _blend(rows: torch.Tensor, alpha: float, beta: float, blend: Blend) -> torch.Tensor:  # [1 or 2, V] -> [1, V]
    if rows.shape[0] == 1:
        return rows
    return blend_logits(rows[:1], rows[1:], alpha=alpha, beta=beta, blend=blend)


def _check_options(options: dict[str, Any], max_new_tokens: int) -> None:
    for name, off in _REFUSED.items():
        if name in options and not any(options[name] is value or options[name] == value for value in off):
            raise ValueError(
                f"{name}={options[name]!r}: dual-branch decoding is greedy or samples; beam search, assisted decoding "
                "and the like are not possible"
            )
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be at least 1, not {max_new_tokens}")


def _start(
    model: Any, inputs: list[dict[str, torch.Tensor]], pad: int, batched: bool, options: dict[str, Any]
) -> tuple[list[Branch], torch.Tensor]:
    """The branches, and the prompt [1, T] for logits processors and stopping criteria, which were made for its
    length."""
    together = collate(inputs[0], inputs[1], pad) if batched and len(inputs) == 2 else None
    if together is None:
        branches = [Branch(model, one, **options) for one in inputs]
        return branches, branches[0].ids
    branch = Branch(model, together, **options)
    ids = branch.ids[:1].clone()
    # Padding must not look like a token that was said (it is often the end of sequence), the prompt's first one may.
    hidden = together["attention_mask"][:1] == 0
    ids[hidden] = ids[0, int(hidden.sum())]
    return [branch], ids
