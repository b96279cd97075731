# SPDX-License-Identifier: Apache-2.0
"""Answers: frozen, and decoded when they are looked at. Arrays are read-only views of the answer where they can be.

Boxes are (x1, y1, x2, y2), half open, in pixels of the upright image; sizes are (height, width), rows before cols.
`raw` is the message as it came.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from objectdino import highlight, images, masks, token_grid
from objectdino._proto import grounding_service_pb2 as pb
from objectdino._tensor import to_float32
from objectdino.errors import BadAnswer
from objectdino.options import name_of

if TYPE_CHECKING:
    import PIL.Image
    import supervision

Box = tuple[float, float, float, float]


class Warning(NamedTuple):
    """Why an answer deserves less trust. `code`: "low_confidence", "no_clear_object", ..."""

    code: str
    message: str


class Grid(NamedTuple):
    """The patches: (row, col) covers x in content[0] + [col, col + 1) * (content[2] - content[0]) / cols, y alike."""

    rows: int
    cols: int
    patch_size: int  # pixels of the network's input
    content: Box  # the part of the image that the patches cover


@dataclass(frozen=True, eq=False, repr=False)
class Embeddings:
    """Vectors of patches. Compare only vectors of the same space."""

    raw: pb.PatchEmbeddings

    @cached_property
    def values(self) -> npt.NDArray[np.float32]:  # [n, D]
        return to_float32(self.raw.embeddings)

    @cached_property
    def patch_indices(self) -> npt.NDArray[np.int64]:  # [n], row * cols + col
        return np.array(self.raw.patch_indices, dtype=np.int64)

    @property
    def space(self) -> str:
        return self.raw.space

    @property
    def l2_normalized(self) -> bool:
        return self.raw.l2_normalized

    def __repr__(self) -> str:
        return f"Embeddings({list(self.raw.embeddings.shape)}, {self.space!r})"


@dataclass(frozen=True, eq=False, repr=False)
class GroundedObject:
    """One object."""

    raw: pb.GroundedObject
    grid: Grid
    image_size: tuple[int, int]

    @property
    def index(self) -> int:
        return self.raw.index

    @property
    def score(self) -> float:
        """[0, 1]: how likely this is an object."""
        return self.raw.score

    @cached_property
    def box(self) -> Box:
        return _box(self.raw.box)

    @cached_property
    def box_norm(self) -> Box:
        """The box in shares of width and height: [0, 1]."""
        return _box(self.raw.normalized_box)

    @property
    def anchor(self) -> tuple[float, float]:
        """(x, y) well inside the object."""
        return self.raw.anchor.x, self.raw.anchor.y

    @property
    def area_fraction(self) -> float:
        """(0, 1]: share of the patches."""
        return self.raw.area_fraction

    @cached_property
    def patch_indices(self) -> npt.NDArray[np.int64]:
        return np.array(self.raw.patch_indices, dtype=np.int64)

    @cached_property
    def patch_mask(self) -> npt.NDArray[np.bool_]:
        """bool [rows, cols]."""
        return _mask(self.raw.mask, (self.grid.rows, self.grid.cols))

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_]:
        """bool [height, width]: on edges of the image with outputs={"pixel_masks"}, else on borders of patches."""
        if self.raw.HasField("pixel_mask"):
            return _mask(self.raw.pixel_mask, self.image_size)
        x1, y1, x2, y2 = self.grid.content
        rows, is_row = _patches_of_pixels(self.image_size[0], self.grid.rows, y1, y2)
        cols, is_col = _patches_of_pixels(self.image_size[1], self.grid.cols, x1, x2)
        mask = self.patch_mask[rows][:, cols]
        mask &= is_row[:, None] & is_col[None, :]
        mask.flags.writeable = False
        return mask

    @cached_property
    def rle(self) -> dict[str, Any]:
        """`mask` as pycocotools has it: {"size": [height, width], "counts": bytes}."""
        pixel_mask = self.raw.pixel_mask
        sent = pixel_mask.coco_rle if pixel_mask.WhichOneof("data") == "coco_rle" else None
        return masks.to_dict(masks.encode(self.mask) if sent is None else sent, *self.image_size)

    @cached_property
    def embedding(self) -> npt.NDArray[np.float32]:
        """[D]. Compare only vectors of the same `embedding_space`."""
        return to_float32(self.raw.embedding.values)

    @property
    def embedding_space(self) -> str:
        return self.raw.embedding.space

    def __repr__(self) -> str:
        return (
            f"GroundedObject(#{self.index + 1} score={self.score:.2f} box=({', '.join(f'{v:.0f}' for v in self.box)}))"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Grounding:
    """What is really in an image."""

    raw: pb.GroundResponse
    source: images.ImageInput | None = field(
        default=None
    )  # the image, for pictures; not kept by ground_many and stream
    undone: int = field(default=1)  # EXIF orientation that the client undid before sending, 1 = none

    # ---- what was found

    @cached_property
    def objects(self) -> tuple[GroundedObject, ...]:
        """Best first; empty where nothing stands out, which `warnings` then says."""
        return tuple(GroundedObject(found, self.grid, self.image_size) for found in self.raw.objects)

    @cached_property
    def objectness(self) -> npt.NDArray[np.float32]:
        """[rows, cols] in [0, 1], high = object. ValueError: outputs did not ask for it."""
        if not self.raw.HasField("objectness"):
            raise ValueError("the answer has no objectness map: ask for it, outputs={'objects', 'objectness'}")
        values = to_float32(self.raw.objectness)
        if values.shape != (self.grid.rows, self.grid.cols):
            raise BadAnswer(f"the map is {values.shape}, the grid {self.grid.rows} x {self.grid.cols}")
        return values

    @cached_property
    def grid(self) -> Grid:
        grid = self.raw.grid
        return Grid(grid.rows, grid.cols, grid.patch_size, _box(grid.content))

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the upright image."""
        return self.raw.image.height, self.raw.image.width

    @cached_property
    def warnings(self) -> tuple[Warning, ...]:
        sent: Any = self.raw.warnings
        return tuple(Warning(name_of(pb.Warning.Code.DESCRIPTOR, note.code), note.message) for note in sent)

    @cached_property
    def patches(self) -> Embeddings:
        """ValueError: outputs did not ask for "patch_embeddings"."""
        if not self.raw.HasField("patches"):
            raise ValueError("the answer has no patch embeddings: ask for them, outputs={'patch_embeddings'}")
        return Embeddings(self.raw.patches)

    @cached_property
    def heads(self) -> tuple[tuple[int, int], ...]:
        """(layer, head) of the object-centric heads, with outputs={"heads"}."""
        return tuple((head.layer, head.head) for head in self.raw.heads)

    @property
    def method(self) -> str:
        return name_of(pb.Method.DESCRIPTOR, self.raw.method)

    @property
    def orientation(self) -> int:
        """EXIF orientation that was undone, by the client or the server; 1 = none."""
        return self.undone if self.undone != 1 else (self.raw.image.applied_orientation or 1)

    @property
    def request_id(self) -> str:
        return self.raw.request_id

    # ---- for a language model

    def prompt(self, coordinates: Literal["thousand", "unit", "pixels"] = "thousand", max_objects: int = 10) -> str:
        """The objects as text. Says where something is, never what: the method knows no words."""
        scale = {"thousand": 1000.0, "unit": 1.0, "pixels": None}.get(coordinates, 0)
        if scale == 0:
            raise ValueError(f"coordinates must be 'thousand', 'unit' or 'pixels', not {coordinates!r}")
        height, width = self.image_size
        shown = self.objects[:max_objects]
        if not shown:
            return "No region of the image stands out as an object."
        unit = f"in pixels of {width} x {height}" if scale is None else f"from 0 to {scale:g}"
        lines = [f"{len(shown)} object region{'s' if len(shown) > 1 else ''}, best first, as [x1, y1, x2, y2] {unit}:"]
        for found in shown:
            values = found.box if scale is None else tuple(scale * value for value in found.box_norm)
            numbers = ", ".join(f"{value:.2f}" if scale == 1 else f"{value:.0f}" for value in values)
            lines.append(
                f"#{found.index + 1} [{numbers}] score {found.score:.2f}, {found.area_fraction:.0%} of the image"
            )
        return "\n".join(lines)

    def token_grid(self, rows: int, cols: int, fit: token_grid.Fit = "stretch") -> npt.NDArray[np.float32]:
        """The objectness of each token of a vision tower, float32 [rows, cols]; see objectdino.token_grid."""
        return token_grid.resample(self.objectness, self.grid.content, self.image_size, rows, cols, fit)

    # ---- pictures

    def highlight(
        self,
        image: images.ImageInput | None = None,
        style: highlight.Style = "tint",
        *,
        opacity: float | None = None,
        threshold: float = highlight.TINT_THRESHOLD,
    ) -> PIL.Image.Image:
        """The image under its objectness, RGB, at exactly the size of the upright image; see objectdino.highlight.

        `image`: the one that was grounded; may be left out after `ground`. ValueError: it is of another size.
        """
        canvas = self._pixels(image)
        painted = highlight.paint(np.asarray(canvas), self.objectness, self.grid.content, style, opacity, threshold)
        return images.require_pillow().Image.fromarray(painted)  # type: ignore[no-any-return]

    def annotate(self, image: images.ImageInput | None = None) -> PIL.Image.Image:
        """The image with tint, boxes and scores, for people."""
        canvas = self.highlight(image) if self.raw.HasField("objectness") else self._pixels(image).copy()
        labels = [(found.box, f"#{found.index + 1} {found.score:.2f}") for found in self.objects]
        return highlight.draw_boxes(canvas, labels)

    def crops(self, image: images.ImageInput | None = None, context: float = 0.15) -> list[PIL.Image.Image]:
        """The objects, each with `context` of its box's sides around it where the image reaches that far."""
        if not context >= 0:
            raise ValueError(f"context must not be negative, got {context}")
        canvas = self._pixels(image)
        height, width = self.image_size
        cut = []
        for found in self.objects:
            x1, y1, x2, y2 = found.box
            right, down = context * (x2 - x1), context * (y2 - y1)
            corners = (
                max(0.0, x1 - right),
                max(0.0, y1 - down),
                min(float(width), x2 + right),
                min(float(height), y2 + down),
            )
            # Whole pixels, outwards.
            cut.append(
                canvas.crop((int(corners[0]), int(corners[1]), int(-(-corners[2] // 1)), int(-(-corners[3] // 1))))
            )
        return cut

    def _pixels(self, image: images.ImageInput | None) -> PIL.Image.Image:
        chosen = self.source if image is None else image
        if chosen is None:
            raise ValueError("the answer does not hold its image: pass the one that was grounded")
        pixels = images.upright(chosen, self.orientation)
        height, width = self.image_size
        if pixels.size != (width, height):
            raise ValueError(
                f"the image is {pixels.height} x {pixels.width} (height x width), the answer's is {height} x {width}"
            )
        return pixels

    def to_supervision(self) -> supervision.Detections:
        """supervision.Detections: xyxy, mask, confidence; class_id is 0, since objects have no class."""
        try:
            import supervision
        except ImportError as error:
            raise ImportError("pip install 'objectdino[supervision]'") from error
        if not self.objects:
            return supervision.Detections.empty()
        return supervision.Detections(
            xyxy=np.array([found.box for found in self.objects], dtype=np.float32),
            mask=np.stack([found.mask for found in self.objects]),
            confidence=np.array([found.score for found in self.objects], dtype=np.float32),
            class_id=np.zeros(len(self.objects), dtype=np.int64),
            data={"index": np.array([found.index for found in self.objects])},
        )

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows: the picture with its objects, or without an image the map itself."""
        try:
            images.require_pillow()
        except ImportError:
            return None  # the notebook then shows the text
        if self.source is not None:
            picture = self.annotate()
        else:
            height, width = self.image_size
            scale = min(1.0, 640 / max(height, width, 1))
            small = max(1, round(height * scale)), max(1, round(width * scale))
            content: Box = tuple(side * scale for side in self.grid.content)  # type: ignore[assignment]
            gray: npt.NDArray[np.uint8] = np.full((*small, 3), 128, dtype=np.uint8)
            if self.raw.HasField("objectness"):
                gray = highlight.paint(gray, self.objectness, content, "jet", opacity=1)
            picture = images.require_pillow().Image.fromarray(gray)
            boxes: list[tuple[Box, str]] = []
            for found in self.objects:
                x1, y1, x2, y2 = found.box
                boxes.append(
                    ((x1 * scale, y1 * scale, x2 * scale, y2 * scale), f"#{found.index + 1} {found.score:.2f}")
                )
            picture = highlight.draw_boxes(picture, boxes)
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        return buffer.getvalue()

    def __repr__(self) -> str:
        height, width = self.image_size
        notes = f" warnings={[warning.code for warning in self.warnings]}" if self.raw.warnings else ""
        return f"Grounding({len(self.raw.objects)} objects in {width}x{height}{notes})"


@dataclass(frozen=True, eq=False, repr=False)
class ModelInfo:
    """What a server serves."""

    raw: pb.GetModelInfoResponse

    @property
    def name(self) -> str:
        return self.raw.model.name

    @property
    def weights_sha256(self) -> str:
        return self.raw.model.weights_sha256

    @property
    def family(self) -> str:
        return self.raw.family

    @property
    def layers(self) -> int:
        return self.raw.layers

    @property
    def heads(self) -> int:
        return self.raw.heads

    @property
    def width(self) -> int:
        """D of the embeddings."""
        return self.raw.width

    @property
    def patch_size(self) -> int:
        return self.raw.patch_size

    @property
    def build_version(self) -> str:
        return self.raw.build_version

    @property
    def device(self) -> str:
        return self.raw.device

    @property
    def random_weights(self) -> bool:
        return self.raw.random_weights

    @property
    def max_request_bytes(self) -> int:
        return self.raw.limits.max_request_bytes

    @property
    def max_input_size(self) -> int:
        return self.raw.limits.max_input_size

    @cached_property
    def methods(self) -> tuple[str, ...]:
        return tuple(name_of(pb.Method.DESCRIPTOR, method) for method in self.raw.methods)

    def __repr__(self) -> str:
        return f"ModelInfo({self.name!r}, {self.family} on {self.device}, weights {self.weights_sha256[:12]})"


def _box(box: pb.Box) -> Box:
    return box.x1, box.y1, box.x2, box.y2


def _mask(mask: pb.Mask, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    if (mask.height, mask.width) != size:
        raise BadAnswer(f"a mask is {mask.height} x {mask.width}, not {size[0]} x {size[1]} (height x width)")
    if mask.WhichOneof("data") == "png":
        picture = images.require_pillow().Image.open(io.BytesIO(mask.png))
        pixels: npt.NDArray[np.bool_] = np.array(picture.convert("L")) != 0
        if pixels.shape != size:
            raise BadAnswer(f"the PNG of a mask is {pixels.shape}, not {size}")
    else:
        try:
            pixels = masks.decode(mask.coco_rle, *size)
        except ValueError as error:
            raise BadAnswer(str(error)) from error
    pixels.flags.writeable = False
    return pixels


def _patches_of_pixels(
    size: int, cells: int, start: float, end: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """For each pixel the patch of its centre, and whether there is one."""
    position = (np.arange(size) + 0.5 - start) / (end - start) * cells
    return position.clip(0, cells - 1).astype(np.intp), (position >= 0) & (position < cells)
