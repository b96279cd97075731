# SPDX-License-Identifier: Apache-2.0
"""An objectness map on the token grid of a vision tower.

A tower sees the image through one of three windows; each of its tokens gets the mean objectness of the part of the
image that it covers, and 0 for what lies outside of the image:

    stretch      the whole image, its aspect ratio not kept (Qwen2-VL; InstructBLIP)
    center_crop  the largest window of the grid's shape in the image's middle (CLIP's processor, LLaVA with crops)
    pad          the smallest window of the grid's shape around the image (LLaVA-1.5's usual padding)

Cost: O(rows * map rows * map cols), microseconds.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Fit = Literal["stretch", "center_crop", "pad"]
Box = tuple[float, float, float, float]


def window(height: int, width: int, rows: int, cols: int, fit: Fit) -> Box:
    """What the tower sees, xyxy in pixels of the image; with "pad" it reaches beyond it."""
    if fit == "stretch":
        return 0.0, 0.0, float(width), float(height)
    if fit not in ("center_crop", "pad"):
        raise ValueError(f"fit must be 'stretch', 'center_crop' or 'pad', not {fit!r}")
    sides = width / cols, height / rows
    cell = min(sides) if fit == "center_crop" else max(sides)
    half_width, half_height = cell * cols / 2, cell * rows / 2
    return width / 2 - half_width, height / 2 - half_height, width / 2 + half_width, height / 2 + half_height


def resample(
    values: npt.NDArray[np.float32], content: Box, image_size: tuple[int, int], rows: int, cols: int, fit: Fit
) -> npt.NDArray[np.float32]:
    """`values` [map rows, map cols] cover `content`, xyxy in the image; the result is float32 [rows, cols]."""
    if rows < 1 or cols < 1:
        raise ValueError(f"a token grid of {rows} x {cols}")
    x1, y1, x2, y2 = window(*image_size, rows, cols, fit)
    down = _overlaps(np.linspace(y1, y2, rows + 1), np.linspace(content[1], content[3], values.shape[0] + 1))
    across = _overlaps(np.linspace(x1, x2, cols + 1), np.linspace(content[0], content[2], values.shape[1] + 1))
    return (down @ values.astype(np.float64) @ across.T).astype(np.float32)


def _overlaps(tokens: npt.NDArray[np.floating[Any]], cells: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """[tokens, cells]: the share of each token that each cell covers, from their edges."""
    low = np.maximum(tokens[:-1, None], cells[None, :-1])
    high = np.minimum(tokens[1:, None], cells[None, 1:])
    shares: npt.NDArray[np.float64] = np.maximum(high - low, 0) / (tokens[1:] - tokens[:-1])[:, None]
    return shares
