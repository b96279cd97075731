# SPDX-License-Identifier: Apache-2.0
"""Client of the Object-DINO grounding service: finds the objects that are really in an image.

with GroundingClient("127.0.0.1:50051") as client:
    grounding = client.ground("photo.jpg")
grounding.objects[0].box          # (x1, y1, x2, y2) in pixels
grounding.highlight("photo.jpg")  # a picture for a language model
"""

import pkgutil

# Stubs of a user's own making are called objectdino.v1: both may be on the path.
__path__ = pkgutil.extend_path(__path__, __name__)

from objectdino._transport import Streamed, Tls
from objectdino.aio import AsyncGroundingClient
from objectdino.client import GroundingClient
from objectdino.errors import GroundingError
from objectdino.images import ImageInput
from objectdino.options import GroundOptions
from objectdino.regions import (
    FoundBox,
    Region,
    RegionScore,
    Verification,
    annotate,
    find_boxes,
    regions_from_boxes,
)
from objectdino.results import Embeddings, Grid, GroundedObject, Grounding, ModelInfo, Warning

__version__ = "0.1.0"

__all__ = [
    "AsyncGroundingClient",
    "Embeddings",
    "FoundBox",
    "Grid",
    "GroundOptions",
    "GroundedObject",
    "Grounding",
    "GroundingClient",
    "GroundingError",
    "ImageInput",
    "ModelInfo",
    "Region",
    "RegionScore",
    "Streamed",
    "Tls",
    "Verification",
    "Warning",
    "annotate",
    "find_boxes",
    "regions_from_boxes",
]
