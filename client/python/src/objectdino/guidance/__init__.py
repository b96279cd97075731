# SPDX-License-Identifier: Apache-2.0
"""What every way of guiding a multimodal model shares: the two prompts, the highlighted image, and what happens
when the grounding server cannot be reached. Needs Pillow, neither Torch nor an HTTP client."""

from objectdino.guidance.highlighted import (
    DEGRADING,
    GroundingUnavailableWarning,
    Guidance,
    aguide,
    guide,
    load_image,
)
from objectdino.guidance.prompts import ANSWER, DESCRIBE, PromptPair

__all__ = [
    "ANSWER",
    "DEGRADING",
    "DESCRIBE",
    "GroundingUnavailableWarning",
    "Guidance",
    "PromptPair",
    "aguide",
    "guide",
    "load_image",
]
