# SPDX-License-Identifier: Apache-2.0
"""Pictures of an answer, at exactly the size of the upright image.

    tint   red where objectness is above a threshold, the more the higher; all other pixels stay as they are
    jet    the colour map `jet` over the whole image: what the paper's scripts show a language model

The map is upsampled bilinearly between the centres of its patches, as the C++ client does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from objectdino.images import require_pillow
from objectdino.token_grid import Box

if TYPE_CHECKING:
    import PIL.Image

Style = Literal["tint", "jet"]

TINT = (255.0, 0.0, 0.0)
TINT_THRESHOLD = 0.5
OPACITY = {"tint": 0.6, "jet": 0.5}
# Bright, apart from each other and from the tint; those of the C++ client.
COLOURS = (
    (255, 221, 51),
    (0, 229, 255),
    (124, 252, 0),
    (255, 105, 255),
    (255, 150, 30),
    (120, 170, 255),
    (0, 255, 170),
    (255, 255, 255),
)


def upsample(
    values: npt.NDArray[np.float32], content: Box, height: int, width: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """[height, width]: the map at every pixel's centre, and where it covers the image."""
    top, bottom, down, rows = _axis(height, values.shape[0], content[1], content[3])
    left, right, across, cols = _axis(width, values.shape[1], content[0], content[2])
    upper = values[top][:, left] * (1 - across) + values[top][:, right] * across
    lower = values[bottom][:, left] * (1 - across) + values[bottom][:, right] * across
    return (upper * (1 - down[:, None]) + lower * down[:, None]).clip(0, 1), rows[:, None] & cols[None, :]


def _axis(
    size: int, cells: int, start: float, end: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """For each pixel of [0, size): the two cells it lies between, the second one's weight, whether it is covered."""
    position = (np.arange(size) + 0.5 - start) / (end - start) * cells
    cell = (position - 0.5).clip(0, cells - 1)
    first = cell.astype(np.intp)
    weight = (cell - first).astype(np.float32)
    return first, np.minimum(first + 1, cells - 1), weight, (position >= 0) & (position <= cells)


def jet(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """[..., 3] in 0 .. 255: the colour map `jet`, dark blue to dark red, of values in [0, 1]."""
    red = np.interp(values, [0.35, 0.66, 0.89, 1], [0, 1, 1, 0.5])
    green = np.interp(values, [0.125, 0.375, 0.64, 0.91], [0, 1, 1, 0])
    blue = np.interp(values, [0, 0.11, 0.34, 0.65], [0.5, 1, 1, 0])
    return (255 * np.stack((red, green, blue), axis=-1)).astype(np.float32)


def paint(
    pixels: npt.NDArray[np.uint8],
    values: npt.NDArray[np.float32],
    content: Box,
    style: Style,
    opacity: float | None = None,
    threshold: float = TINT_THRESHOLD,
) -> npt.NDArray[np.uint8]:
    """`pixels` uint8 [H, W, 3] under `values` [rows, cols] in [0, 1]."""
    if style not in OPACITY:
        raise ValueError(f"style must be 'tint' or 'jet', not {style!r}")
    strength = OPACITY[style] if opacity is None else opacity
    if not 0 <= strength <= 1 or not 0 <= threshold < 1:
        raise ValueError(f"opacity must be in [0, 1] and threshold in [0, 1), got {strength} and {threshold}")
    height, width = pixels.shape[:2]
    objectness, covered = upsample(values, content, height, width)
    if style == "tint":
        colour: npt.NDArray[np.float32] = np.asarray(TINT, dtype=np.float32)
        weight = strength * ((objectness - threshold) / (1 - threshold)).clip(0, 1)
    else:
        colour = jet(objectness)
        weight = np.full_like(objectness, strength)
    share = np.where(covered, weight, 0).astype(np.float32)[..., None]
    return np.rint(pixels * (1 - share) + colour * share).clip(0, 255).astype(np.uint8)


def draw_boxes(image: PIL.Image.Image, boxes: list[tuple[Box, str]]) -> PIL.Image.Image:
    """Boxes with their labels, best first, each in a colour of its own. Draws on `image`."""
    require_pillow()
    from PIL import ImageDraw, ImageFont

    line = max(1, round(max(image.size) / 400))
    font = ImageFont.load_default(size=max(10, round(max(image.size) / 50)))
    pen = ImageDraw.Draw(image)
    for index, (box, label) in reversed(list(enumerate(boxes))):
        colour = COLOURS[index % len(COLOURS)]
        x1, y1, x2, y2 = box
        # The line lies on the box's outermost pixels: half open, hence the -1.
        pen.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=colour, width=line)
        left, top, right, bottom = pen.textbbox((x1 + line, y1 + line), label, font=font)
        pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=colour)
        pen.text((x1 + line, y1 + line), label, font=font, fill=(0, 0, 0))
    return image
