# SPDX-License-Identifier: Apache-2.0
"""What answers: a Python callable, an OpenAI-style endpoint, a Hugging Face model. All as
ask(image file, question or None, grounding or None) -> Answer, the question as it stands in the benchmark."""

from __future__ import annotations

import importlib
import pathlib
from collections.abc import Callable
from typing import Any

from objectdino.eval.answers import Answer
from objectdino.guidance import load_image
from objectdino.guidance.prompts import choose

Ask = Callable[[pathlib.Path, "str | None", Any], Answer]


def from_callable(name: str) -> Ask:
    """`module:function`, called with (PIL image, question or None, Grounding or None); returns the text."""
    module, colon, attribute = name.partition(":")
    if not colon:
        raise ValueError(f"a callable is named module:function, not {name!r}")
    function = getattr(importlib.import_module(module), attribute)

    def ask(image: pathlib.Path, question: str | None, grounding: Any) -> Answer:
        text = function(load_image(image), question, grounding)
        if not isinstance(text, str):
            raise TypeError(f"{name} returned {type(text).__name__}, not a string")
        return Answer(text)

    return ask


def from_endpoint(
    url: str | None, model: str, *, method: str, style: str, alpha: float, max_tokens: int, api_key_env: str
) -> Ask:
    """`method`: "yes_no" blends the log-probabilities of two calls; the others are the modes of grounded messages."""
    from objectdino.chat import GroundedChat, user_message

    base = GroundedChat(None, model=model, base_url=url, api_key_env=api_key_env)
    options = {"max_tokens": max_tokens, "temperature": 0}

    def ask(image: pathlib.Path, question: str | None, grounding: Any) -> Answer:
        if method == "yes_no" and question is not None:
            answer = GroundedChat(grounding, model=model, client=base.api, style=style).yes_no(
                image, question, alpha=alpha
            )
            if answer.answer is None:
                raise ValueError("neither yes nor no is among the likely first tokens")
            return Answer(answer.answer.capitalize(), p_yes=answer.p_yes)
        text = choose(None, question).fill(question)[0]
        chat = GroundedChat(grounding, model=model, client=base.api, mode=method, style=style)  # type: ignore[arg-type]
        return Answer(chat.complete([user_message(text, image)], **options).text)

    return ask


def from_hugging_face(path: str, *, device: str, dtype: str, style: str, **options: Any) -> Ask:
    """Dual-branch decoding; `options` are dual_branch_generate's. Without grounding one branch, with the same
    options."""
    import torch
    import transformers

    from objectdino.generation import dual_branch_generate

    processor = transformers.AutoProcessor.from_pretrained(path)
    model = (
        transformers.AutoModelForImageTextToText.from_pretrained(path, dtype=getattr(torch, dtype)).to(device).eval()
    )

    def ask(image: pathlib.Path, question: str | None, grounding: Any) -> Answer:
        return Answer(dual_branch_generate(model, processor, image, question, grounding, style=style, **options).text)

    return ask
