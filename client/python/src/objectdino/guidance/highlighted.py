# SPDX-License-Identifier: Apache-2.0
"""From whatever a caller grounds with to the highlighted image, or to the reason why there is none.

A source is one of
- None: no guidance, on purpose;
- a PIL image: the highlighted copy itself;
- something with `highlight(image, style=)`: a Grounding;
- something with `ground(image)`: a GroundingClient (or its asynchronous twin, for `aguide`).

A server that is down, overloaded or too slow does not stop the caller's model: the answer is then made without guidance,
with a GroundingUnavailableWarning and `Guidance.degraded` set. Everything else that a server says is an error and raised.
"""

from __future__ import annotations

import dataclasses
import io
import os
import warnings
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from objectdino import errors

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


def load_image(image: Any) -> Image.Image:
    """RGB, turned as its EXIF orientation says, from a PIL image, path, encoded bytes or uint8 array [H, W, 3]."""
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"an array must be uint8 [H, W, 3], not {image.dtype} {list(image.shape)}")
        return Image.fromarray(image)
    if isinstance(image, bytes):
        image = io.BytesIO(image)
    if isinstance(image, (str, os.PathLike, io.BytesIO)):
        with Image.open(image) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")
    if isinstance(image, Image.Image):
        return ImageOps.exif_transpose(image).convert("RGB")
    raise TypeError(f"an image is a PIL image, path, bytes or array, not {type(image).__name__}")


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
        grounding = await source.ground(image)
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
