# SPDX-License-Identifier: Apache-2.0
"""OpenAI-style messages in, grounded messages out: what was detected, shown or told right behind each image.

highlight  the image once more, with the objects highlighted
crops      close-ups of the objects
text       their places in words
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import io
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from PIL import Image

from objectdino.guidance import Guidance, aguide, guide, load_image

Mode = Literal["highlight", "crops", "text"]
Message = Mapping[str, Any]

_HIGHLIGHT_NOTE = {
    "tint": "The next image is the same photograph; objects that were detected in it are tinted red.",
    "jet": "The next image is the same photograph; objects that were detected in it have warm colours.",
}
_CROPS_NOTE = "The next {count} images are close-ups of objects that were detected in this photograph."
_SENT_AS_THEY_ARE = ("JPEG", "PNG", "WEBP")


@dataclasses.dataclass(frozen=True)
class GroundedMessages:
    """`messages` are new, the caller's are left alone. `guidance` has one entry an image; `degraded` is the first
    reason why an image got none, empty if the server answered for all."""

    messages: list[dict[str, Any]]
    guidance: tuple[Guidance, ...]
    degraded: str


def image_part(image: Any) -> dict[str, Any]:
    """A part of a message from whatever may be grounded. Files and bytes are sent as they are if upright, all else
    as PNG."""
    if isinstance(image, (str, os.PathLike)):
        with open(image, "rb") as file:
            image = file.read()
    upright = load_image(image)
    if isinstance(image, bytes):
        with Image.open(io.BytesIO(image)) as opened:
            kind, is_upright = opened.format or "", opened.getexif().get(0x0112, 1) in (0, 1)
        if is_upright and kind in _SENT_AS_THEY_ARE:
            return _part(image, kind)
    return _part(_encode(upright, "PNG"), "PNG")


def user_message(text: str, *images: Any) -> dict[str, Any]:
    """A message with images, then text."""
    return {"role": "user", "content": [*(image_part(image) for image in images), {"type": "text", "text": text}]}


def ground_messages(
    messages: Sequence[Message], source: Any, *, mode: Mode = "highlight", style: str = "tint", max_crops: int = 4
) -> GroundedMessages:
    """Grounds the images of the last user message that has any.

    `source` is a GroundingClient, a Grounding, a highlighted PIL image (mode highlight only) or None. Images must
    be data URLs: nothing is fetched from the network, other URLs raise ValueError. An image without a detected
    object stays alone.
    """
    place, images = _find_images(messages, mode)
    answers = {part: guide(source, image, style=style) for part, image in images.items()}
    return _assemble(messages, place, images, answers, mode, style, max_crops)


async def aground_messages(
    messages: Sequence[Message], source: Any, *, mode: Mode = "highlight", style: str = "tint", max_crops: int = 4
) -> GroundedMessages:
    """ground_messages with an AsyncGroundingClient."""
    place, images = _find_images(messages, mode)
    answers = {part: await aguide(source, image, style=style) for part, image in images.items()}
    return _assemble(messages, place, images, answers, mode, style, max_crops)


def _find_images(messages: Sequence[Message], mode: str) -> tuple[int, dict[int, bytes]]:
    """The message to ground, and the encoded images of its parts."""
    if mode not in get_args(Mode):
        raise ValueError(f"mode must be one of {', '.join(get_args(Mode))}, not {mode!r}")
    for place in reversed(range(len(messages))):
        content = messages[place].get("content")
        if messages[place].get("role") != "user" or isinstance(content, str) or not content:
            continue
        images = {i: _decode(part) for i, part in enumerate(content) if part.get("type") == "image_url"}
        if images:
            return place, images
    return -1, {}


def _decode(part: Mapping[str, Any]) -> bytes:
    url = part["image_url"] if isinstance(part["image_url"], str) else part["image_url"]["url"]
    head, _, body = url.partition(",")
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        raise ValueError(f"images must be base64 data URLs, nothing is fetched from the network: {url[:40]!r}")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise ValueError(f"the data URL of an image is not base64: {error}") from error


def _assemble(
    messages: Sequence[Message],
    place: int,
    images: Mapping[int, bytes],
    answers: Mapping[int, Guidance],
    mode: str,
    style: str,
    max_crops: int,
) -> GroundedMessages:
    grounded = [dict(message) for message in messages]
    if images:
        content = []
        for i, part in enumerate(grounded[place]["content"]):
            content.append(part)
            if i in answers:
                content += _added(images[i], answers[i], mode, style, max_crops)
        grounded[place]["content"] = content
    degraded = next((answer.degraded for answer in answers.values() if answer.degraded), "")
    return GroundedMessages(grounded, tuple(answers.values()), degraded)


def _added(image: bytes, guidance: Guidance, mode: str, style: str, max_crops: int) -> list[dict[str, Any]]:
    grounding = guidance.grounding
    if guidance.highlighted is None or (grounding is not None and len(grounding.objects) == 0):
        return []
    if mode == "highlight":
        return [_text(_HIGHLIGHT_NOTE[style]), _part(_encode(guidance.highlighted, "JPEG"), "JPEG")]
    if grounding is None:
        raise ValueError(f"mode {mode!r} needs a grounding, a highlighted image has no boxes")
    if mode == "text":
        return [_text(grounding.prompt())]
    crops = grounding.crops(load_image(image))[:max_crops]
    return [_text(_CROPS_NOTE.format(count=len(crops))), *(_part(_encode(crop, "JPEG"), "JPEG") for crop in crops)]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _part(encoded: bytes, kind: str) -> dict[str, Any]:
    body = base64.b64encode(encoded).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:image/{kind.lower()};base64,{body}"}}


def _encode(image: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **({"quality": 92} if kind == "JPEG" else {}))
    return out.getvalue()
