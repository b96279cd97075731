# SPDX-License-Identifier: Apache-2.0
"""How the logits of two branches become one distribution."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch

Blend = Literal["interpolate", "contrast", "additive"]


def check_blend(alpha: float, beta: float, blend: str) -> None:
    """Raises ValueError for what blend_logits does not take."""
    if blend not in get_args(Blend):
        raise ValueError(f"blend must be one of {', '.join(get_args(Blend))}, not {blend!r}")
    if not math.isfinite(alpha) or alpha < 0 or (blend == "interpolate" and alpha > 1):
        raise ValueError(f"alpha must be {'in [0, 1]' if blend == 'interpolate' else 'at least 0'}, not {alpha}")
    if not 0 <= beta <= 1:
        raise ValueError(f"beta must be in [0, 1], not {beta}")


def blend_logits(
    original: torch.Tensor,  # [..., V]
    highlighted: torch.Tensor,  # [..., V]
    *,
    alpha: float = 0.4,
    beta: float = 0.1,
    blend: Blend = "interpolate",
) -> torch.Tensor:  # [..., V] float32, -inf for what may not be said
    """One distribution from that of the photograph and that of its highlighted copy.

    interpolate: alpha original + (1 - alpha) highlighted, the published blend (alpha = 0.4): the geometric mean
    contrast:    (1 + alpha) highlighted - alpha original: past the highlighted branch, away from the original
    additive:    original + alpha highlighted: sharpened where both agree

    Constants added to a branch's logits change nothing, so log-probabilities may be given as well. The plausibility
    cut-off forbids tokens that the original branch holds for less than `beta` times as likely as its best one; 0, as
    published, forbids none. What is -inf in the original branch stays so.
    """
    check_blend(alpha, beta, blend)
    original, highlighted = original.float(), highlighted.float()
    if blend == "contrast":
        mixed = (1 + alpha) * highlighted - alpha * original
    elif blend == "additive":
        mixed = original + alpha * highlighted
    elif alpha == 1:  # 0 x -inf would be NaN
        mixed = original
    else:
        mixed = alpha * original + (1 - alpha) * highlighted
    floor = original.amax(-1, keepdim=True) + math.log(beta) if beta > 0 else -math.inf
    implausible = (original < floor) | (original == -math.inf)
    return mixed.masked_fill(implausible, -math.inf)
