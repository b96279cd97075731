# SPDX-License-Identifier: Apache-2.0
"""From whatever a caller grounds with to the highlighted image, or to the reason why there is none.

A source is one of
- None: no guidance, on purpose;
- a PIL image: the highlighted copy itself;
- something with `highlight(image, style=)`: a Grounding;
- something with `ground(image)`: a GroundingClient (or its asynchronous twin, for `aguide`).

A server that is down, overloaded or too slow does not stop the caller's model: the answer is then made without
guidance, with a GroundingUnavailableWarning and `Guidance.degraded` set. Everything else that a server says is an
error and raised.
"""

from __future__ import annotations

import dataclasses
import inspect
import io
import os
import warnings
from typing import Any

from PIL import Image

from objectdino import errors, images

# The failures of a server, as opposed to those of a request.
DEGRADING: tuple[type[Exception], ...] = (errors.Unavailable, errors.Timeout, errors.Overloaded)


class GroundingUnavailableWarning(UserWarning):
    """An answer is made without guidance, since the grounding server gave none."""


@dataclasses.dataclass(frozen=True)
class Guidance:
    """`highlighted` has the size of the image and is None without guidance; `degraded` says why, if that was not the
    caller's choice; `grounding` is what the server answered, where one was asked."""

    highlighted: Image.Image | None
    grounding: Any = None
    degraded: str = ""


def load_image(image: images.ImageInput) -> Image.Image:
    """RGB and upright, as the server sees it; from whatever may be grounded. Raises errors.InvalidImage."""
    if not isinstance(image, (str, os.PathLike, bytes, Image.Image)):
        return images.upright(image, 1)
    try:
        opened = image if isinstance(image, Image.Image) else Image.open(_source(image))
        opened.load()
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise images.invalid(f"Pillow cannot open the image: {error}") from error
    return images.to_rgb(images.undo(opened, images.exif_orientation(opened)))


def _source(image: str | os.PathLike[str] | bytes) -> str | os.PathLike[str] | io.BytesIO:
    return io.BytesIO(image) if isinstance(image, bytes) else image


def guide(source: Any, image: Any, *, style: str = "tint") -> Guidance:
    """The guidance that `source` gives for `image` (anything `load_image` takes)."""
    if not hasattr(source, "ground"):
        return _from_answer(source, image, style)
    try:
        grounding = source.ground(image)
    except DEGRADING as error:
        return _degrade(error)
    return _from_answer(grounding, image, style)


async def aguide(source: Any, image: Any, *, style: str = "tint") -> Guidance:
    """`guide` for an asynchronous client."""
    if not hasattr(source, "ground"):
        return _from_answer(source, image, style)
    try:
        grounding = source.ground(image)
        if inspect.isawaitable(grounding):  # else the blocking client, which is allowed
            grounding = await grounding
    except DEGRADING as error:
        return _degrade(error)
    return _from_answer(grounding, image, style)


def _from_answer(source: Any, image: Any, style: str) -> Guidance:
    if source is None:
        return Guidance(None)
    if isinstance(source, Image.Image):
        highlighted, grounding = source.convert("RGB"), None
    elif hasattr(source, "highlight"):
        highlighted, grounding = source.highlight(load_image(image), style=style), source
    else:
        raise TypeError(f"{type(source).__name__} is neither a grounding, a client nor a PIL image")
    if highlighted.size != load_image(image).size:
        raise ValueError(f"the highlighted image has {highlighted.size} pixels, the image {load_image(image).size}")
    return Guidance(highlighted.convert("RGB"), grounding)


def _degrade(error: Exception) -> Guidance:
    reason = f"{type(error).__name__}: {error}"
    warnings.warn(f"answering without guidance: {reason}", GroundingUnavailableWarning, stacklevel=3)
    return Guidance(None, degraded=reason)
