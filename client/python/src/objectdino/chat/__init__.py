# SPDX-License-Identifier: Apache-2.0
"""Guiding a model behind an OpenAI-style API (vLLM, SGLang, llama.cpp, hosted ones): grounded messages, and yes/no
questions answered from the blended log-probabilities of two calls. Messages are plain dictionaries, for any client;
GroundedChat and AsyncGroundedChat bring one (the extra `openai`). docs/grounding.md is the guide."""

from objectdino.chat.client import AsyncGroundedChat, ChatAnswer, GroundedChat
from objectdino.chat.messages import GroundedMessages, aground_messages, ground_messages, image_part, user_message
from objectdino.chat.yes_no import YesNo, blend_yes_no
from objectdino.guidance import ANSWER, DESCRIBE, GroundingUnavailableWarning, PromptPair

__all__ = [
    "ANSWER",
    "DESCRIBE",
    "AsyncGroundedChat",
    "ChatAnswer",
    "GroundedChat",
    "GroundedMessages",
    "GroundingUnavailableWarning",
    "PromptPair",
    "YesNo",
    "aground_messages",
    "blend_yes_no",
    "ground_messages",
    "image_part",
    "user_message",
]
