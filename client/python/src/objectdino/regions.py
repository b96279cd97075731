# SPDX-License-Identifier: Apache-2.0
"""Claimed regions in, their scores out; and the boxes that language models write, as regions.

    found = find_boxes(answer)                                     # "a dog [120, 80, 560, 900]"
    regions = regions_from_boxes(found, image_size, scale="thousand")
    print(annotate(answer, found, client.verify(image, regions)))  # "a dog [120, 80, 560, 900] (objectness 0.83)"

Scores, no verdict: the model knows no words, so a high score does not say that the object is what it was called, and a
low one does not say that nothing is there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from objectdino import masks
from objectdino._proto import grounding_service_pb2 as pb
from objectdino._tensor import from_numpy
from objectdino.errors import FieldError, InvalidArgument
from objectdino.results import Box, GroundedObject, Grounding

Scale = Literal["unit", "thousand", "pixels"]
Layout = Literal["xyxy", "xywh", "yxyx"]


@dataclass(frozen=True, eq=False)
class Region:
    """A claimed region of the upright image, or a vector to look for; made by one of the functions below."""

    raw: pb.Region = field(repr=False)
    label: str = ""  # what the claim calls it; not sent

    @staticmethod
    def box(x1: float, y1: float, x2: float, y2: float, label: str = "") -> Region:
        """In pixels; clipped to the image by the server."""
        return Region(pb.Region(box=pb.Box(x1=x1, y1=y1, x2=x2, y2=y2)), label)

    @staticmethod
    def point(x: float, y: float, label: str = "") -> Region:
        """In pixels; stands for the patch that it falls in."""
        return Region(pb.Region(point=pb.Point(x=x, y=y)), label)

    @staticmethod
    def mask(mask: npt.ArrayLike, label: str = "") -> Region:
        """[height, width] of the upright image, not 0 = inside."""
        inside = np.asarray(mask)
        counts = masks.encode(inside)
        return Region(pb.Region(mask=pb.Mask(height=inside.shape[0], width=inside.shape[1], coco_rle=counts)), label)

    @staticmethod
    def query(vector: npt.ArrayLike, space: str = "", label: str = "") -> Region:
        """A vector [D] to look for among the patches; with its `space` the server checks that the two compare."""
        values = np.asarray(vector, dtype=np.float32)
        if values.ndim != 1:
            raise ValueError(f"a query is [D], not of shape {values.shape}")
        return Region(pb.Region(query=pb.Embedding(values=from_numpy(values), space=space)), label)


# What verify takes: a Region, an object of an answer, (x1, y1, x2, y2), (x, y), or a mask bool [height, width].
RegionInput: TypeAlias = "Region | GroundedObject | Sequence[float] | npt.NDArray[Any]"


def to_region(value: RegionInput) -> Region:
    if isinstance(value, Region):
        return value
    if isinstance(value, GroundedObject):
        return Region.box(*value.box)
    if isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype == np.bool_:
        return Region.mask(value)
    numbers = [float(number) for number in value] if not isinstance(value, str) and np.ndim(value) == 1 else []
    if len(numbers) == 4:
        return Region.box(numbers[0], numbers[1], numbers[2], numbers[3])
    if len(numbers) == 2:
        return Region.point(numbers[0], numbers[1])
    raise TypeError("a region is a Region, an object, (x1, y1, x2, y2), (x, y), or a mask bool [height, width]")


# ---- scores ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ObjectMatch:
    """The object found that a region is most like."""

    index: int  # GroundedObject.index
    iou: float
    similarity: float  # cosine of the embeddings


@dataclass(frozen=True)
class QueryMatch:
    """Where a query was found."""

    patch_index: int
    similarity: float


@dataclass(frozen=True, eq=False, repr=False)
class RegionScore:
    """How much a region looks like an object; the proto has the formula."""

    raw: pb.RegionScore
    label: str = ""  # of the Region

    @property
    def score(self) -> float:
        """[0, 1]; 0.5 is where the rule starts to call it an object."""
        return self.raw.score

    @property
    def box(self) -> Box:
        """What was looked at."""
        return self.raw.box.x1, self.raw.box.y1, self.raw.box.x2, self.raw.box.y2

    @property
    def objectness_inside(self) -> float:
        return self.raw.objectness_inside

    @property
    def objectness_around(self) -> float:
        return self.raw.objectness_around

    @property
    def attention_inside(self) -> float:
        return self.raw.attention_inside

    @property
    def attention_outside(self) -> float:
        return self.raw.attention_outside

    @property
    def coverage(self) -> float:
        """[0, 1]: share of the region that the objects found cover."""
        return self.raw.coverage

    @cached_property
    def best_object(self) -> ObjectMatch | None:
        match = self.raw.best_object
        return ObjectMatch(match.index, match.iou, match.similarity) if self.raw.HasField("best_object") else None

    @cached_property
    def query(self) -> QueryMatch | None:
        match = self.raw.query
        return QueryMatch(match.patch_index, match.similarity) if self.raw.HasField("query") else None

    def __repr__(self) -> str:
        label = f"{self.label!r} " if self.label else ""
        return f"RegionScore({label}score={self.score:.2f} box=({', '.join(f'{v:.0f}' for v in self.box)}))"


@dataclass(frozen=True, eq=False, repr=False)
class Verification(Sequence[RegionScore]):
    """The scores, in the order of the regions, and the grounding that they were read from."""

    scores: tuple[RegionScore, ...]
    grounding: Grounding

    @overload
    def __getitem__(self, index: int) -> RegionScore: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RegionScore]: ...
    def __getitem__(self, index: int | slice) -> RegionScore | Sequence[RegionScore]:
        return self.scores[index]

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        return f"Verification({list(self.scores)})"


# ---- boxes of language models ---------------------------------------------------------------------------------


class FoundBox(NamedTuple):
    """A box in a text, as it stands there."""

    values: tuple[float, float, float, float]
    start: int  # of its characters in the text
    end: int


_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"
_FOUR = ",".join([_NUMBER] * 4)
_PAIR = rf"\({_NUMBER},{_NUMBER}\)"
# [x1, y1, x2, y2], also within JSON; (x1, y1, x2, y2); and (x1,y1),(x2,y2), where Qwen's models put markers around it.
_BOX = re.compile(rf"\[{_FOUR}\]|\({_FOUR}\)|{_PAIR}\s*,?\s*{_PAIR}(?:<\|box_end\|>|</box>)?")


def find_boxes(text: str) -> list[FoundBox]:
    """The boxes in the answer of a language model, in their order."""
    found = []
    for match in _BOX.finditer(text):
        x1, y1, x2, y2 = (float(number) for number in match.groups() if number is not None)
        found.append(FoundBox((x1, y1, x2, y2), match.start(), match.end()))
    return found


def regions_from_boxes(
    boxes: Iterable[FoundBox | Sequence[float]],
    image_size: tuple[int, int],
    *,
    scale: Scale,
    layout: Layout = "xyxy",
    seen_size: tuple[int, int] | None = None,
    labels: Sequence[str] | None = None,
) -> list[Region]:
    """Boxes as a language model gives them, as regions of the image; sizes are (height, width).

    scale      "unit": from 0 to 1; "thousand": from 0 to 1000 (Qwen-VL, Qwen2-VL, Gemini); "pixels": of the image, or
               of what the model saw of it where that was resized (Qwen2.5-VL): then give `seen_size`
    layout     "xyxy"; "xywh", from the upper left corner; "yxyx" (Gemini)
    InvalidArgument, naming the box: one that is empty, turned round, not finite, or wholly off the image.
    """
    if scale not in ("unit", "thousand", "pixels") or layout not in ("xyxy", "xywh", "yxyx"):
        raise ValueError(
            f"scale must be 'unit', 'thousand' or 'pixels', layout 'xyxy', 'xywh' or 'yxyx': {scale!r}, {layout!r}"
        )
    height, width = image_size
    if scale == "pixels":
        seen_height, seen_width = seen_size or image_size
        across, down = width / seen_width, height / seen_height
    else:
        full = 1.0 if scale == "unit" else 1000.0
        across, down = width / full, height / full
    regions = []
    for index, item in enumerate(boxes):
        given = [float(value) for value in (item.values if isinstance(item, FoundBox) else item)]
        if len(given) != 4:
            raise _invalid(index, f"has {len(given)} numbers, not 4")
        x1, y1, x2, y2 = given
        if layout == "xywh":
            x2, y2 = x1 + x2, y1 + y2
        elif layout == "yxyx":
            x1, y1, x2, y2 = y1, x1, y2, x2
        x1, y1, x2, y2 = x1 * across, y1 * down, x2 * across, y2 * down
        if not all(map(math.isfinite, (x1, y1, x2, y2))):
            raise _invalid(index, f"is not finite: {given}")
        if not (x1 < x2 and y1 < y2):
            raise _invalid(index, f"is empty or turned round: {given} as {layout}")
        if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
            raise _invalid(index, f"lies off the image of {height} x {width} (height x width): {given} as {scale}")
        regions.append(Region.box(x1, y1, x2, y2, labels[index] if labels is not None else ""))
    return regions


def _invalid(index: int, message: str) -> InvalidArgument:
    path = f"regions[{index}].box"
    return InvalidArgument(f"{path} {message}", fields=(FieldError(path, message),))


def annotate(
    text: str, boxes: Sequence[FoundBox], scores: Iterable[RegionScore], form: str = " (objectness {score:.2f})"
) -> str:
    """The text, with the score of each box behind it. `form` may use score, coverage and iou."""
    scored = list(scores)
    if len(scored) != len(boxes):
        raise ValueError(f"{len(boxes)} boxes, {len(scored)} scores")
    for box, found in sorted(zip(boxes, scored, strict=True), key=lambda pair: pair[0].end, reverse=True):
        iou = found.best_object.iou if found.best_object else 0.0
        text = text[: box.end] + form.format(score=found.score, coverage=found.coverage, iou=iou) + text[box.end :]
    return text
