# SPDX-License-Identifier: Apache-2.0
"""Grounded chat with an OpenAI-style server, blocking and asynchronous.

The `openai` package makes the calls: it retries what may be retried, with back-off and Retry-After, and its exceptions
are what callers of such servers know. It is imported when a chat is made.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from objectdino.chat.messages import GroundedMessages, Message, Mode, aground_messages, ground_messages, user_message
from objectdino.chat.yes_no import YesNo, blend_yes_no
from objectdino.guidance import ANSWER, Guidance, PromptPair, aguide, guide

if TYPE_CHECKING:
    import openai
    from typing_extensions import Self

# One token, and as many of its rivals as OpenAI and vLLM list.
_FIRST_TOKEN = {"max_tokens": 1, "temperature": 0, "logprobs": True, "top_logprobs": 20}


@dataclasses.dataclass(frozen=True)
class ChatAnswer:
    """`raw` is the openai package's ChatCompletion; `degraded` says why the messages are not grounded, if so."""

    text: str
    degraded: str
    grounded: GroundedMessages
    raw: Any = dataclasses.field(repr=False)


class _Chat:
    """What both twins share: everything but waiting. `api` is the openai package's client."""

    def __init__(
        self,
        grounding: Any,
        *,
        model: str,
        base_url: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        timeout: float = 60.0,
        max_retries: int = 2,
        mode: Mode = "highlight",
        style: str = "tint",
        client: Any = None,
    ) -> None:
        """
        grounding    a client of the grounding server, a Grounding, a highlighted PIL image, or None for no guidance
        base_url     of the API, up to /v1; None: OpenAI's
        api_key_env  the environment variable with the key. A server named by base_url may do without one
        timeout      seconds for one attempt; there are up to 1 + max_retries
        client       an openai.OpenAI or AsyncOpenAI to use instead of the four above
        """
        self._source, self._model, self._mode, self._style = grounding, model, mode, style
        self._owns = client is None
        self.api: Any = client
        if client is None:
            try:
                import openai
            except ImportError as error:
                raise ImportError("objectdino.chat needs the extra openai: pip install 'objectdino[openai]'") from error
            key = os.environ.get(api_key_env) or (None if base_url is None else "none")
            if key is None:
                raise ValueError(f"the environment variable {api_key_env} holds no API key")
            kind = openai.AsyncOpenAI if isinstance(self, AsyncGroundedChat) else openai.OpenAI
            self.api = kind(base_url=base_url, api_key=key, timeout=timeout, max_retries=max_retries)

    def _branches(self, image: Any, question: str, guidance: Guidance, prompts: PromptPair) -> list[dict[str, Any]]:
        """One message, or one for each branch."""
        texts = prompts.fill(question)
        pictures = [image] if guidance.highlighted is None else [image, guidance.highlighted]
        return [user_message(text, picture) for text, picture in zip(texts[: len(pictures)], pictures, strict=True)]

    def _request(self, messages: Sequence[Message], options: Mapping[str, Any]) -> dict[str, Any]:
        return {"model": self._model, "messages": list(messages), **options}


class GroundedChat(_Chat):
    """Not for several threads at once where `grounding` is not; use as a context manager, or close()."""

    def complete(self, messages: Sequence[Message], **options: Any) -> ChatAnswer:
        """One answer to grounded messages; `options` go into the request (max_tokens, temperature, extra_body, ...)."""
        grounded = ground_messages(messages, self._source, mode=self._mode, style=self._style)
        raw = self.api.chat.completions.create(**self._request(grounded.messages, options))
        return ChatAnswer(_text(raw), grounded.degraded, grounded, raw)

    def yes_no(
        self, image: Any, question: str, *, alpha: float = 0.4, prompts: PromptPair = ANSWER, **options: Any
    ) -> YesNo:
        """Dual-branch decoding of a yes/no question: two calls, one token each. See blend_yes_no."""
        guidance = guide(self._source, image, style=self._style)
        listed = []
        for message in self._branches(image, question, guidance, prompts):
            request = self._request([message], {**_FIRST_TOKEN, **options})
            listed.append(_listed(self.api.chat.completions.create(**request)))
        return blend_yes_no(listed[0], listed[1] if len(listed) > 1 else None, alpha=alpha, degraded=guidance.degraded)

    def close(self) -> None:
        if self._owns:
            self.api.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncGroundedChat(_Chat):
    """GroundedChat with an AsyncGroundingClient; the two calls of yes_no are made at once."""

    async def complete(self, messages: Sequence[Message], **options: Any) -> ChatAnswer:
        grounded = await aground_messages(messages, self._source, mode=self._mode, style=self._style)
        raw = await self.api.chat.completions.create(**self._request(grounded.messages, options))
        return ChatAnswer(_text(raw), grounded.degraded, grounded, raw)

    async def yes_no(
        self, image: Any, question: str, *, alpha: float = 0.4, prompts: PromptPair = ANSWER, **options: Any
    ) -> YesNo:
        guidance = await aguide(self._source, image, style=self._style)
        requests = [
            self._request([message], {**_FIRST_TOKEN, **options})
            for message in self._branches(image, question, guidance, prompts)
        ]
        answers = await asyncio.gather(*(self.api.chat.completions.create(**request) for request in requests))
        listed = [_listed(answer) for answer in answers]
        return blend_yes_no(listed[0], listed[1] if len(listed) > 1 else None, alpha=alpha, degraded=guidance.degraded)

    async def close(self) -> None:
        if self._owns:
            await self.api.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _text(answer: openai.types.chat.ChatCompletion) -> str:
    return answer.choices[0].message.content or "" if answer.choices else ""


def _listed(answer: openai.types.chat.ChatCompletion) -> dict[str, float]:
    """{token: log-probability} of the first token; empty if the server lists none."""
    logprobs = answer.choices[0].logprobs if answer.choices else None
    if logprobs is None or not logprobs.content:
        return {}
    first = logprobs.content[0]
    return {first.token: first.logprob} | {rival.token: rival.logprob for rival in first.top_logprobs}
