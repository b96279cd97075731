# SPDX-License-Identifier: Apache-2.0
"""Images in: what may be grounded, how it goes onto the wire, and the same pixels for pictures of an answer.

    str, os.PathLike   a file: JPEG, PNG or WebP; its bytes are sent as they are
    bytes              likewise
    PIL.Image.Image    sent as raw RGB; its EXIF orientation is undone first, as the server does for files
    np.ndarray         uint8 [H, W, 3], RGB
    torch.Tensor       [3, H, W], RGB: uint8, or floating point in [0, 1]

Alpha is dropped, not blended, and 16-bit gray keeps its high byte, as on the server. URLs are not fetched.
"""

from __future__ import annotations

import io
import os
import pathlib
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from objectdino._proto import grounding_service_pb2 as pb
from objectdino.errors import FieldError, InvalidImage

if TYPE_CHECKING:
    import PIL.Image
    import torch

# The two that are not imported here are known by their names.
ImageInput: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | npt.NDArray[Any] | PIL.Image.Image | torch.Tensor"
)

_EXIF_ORIENTATION = 0x0112


def invalid(message: str) -> InvalidImage:
    return InvalidImage(message, fields=(FieldError("image", message),))


def require_pillow() -> Any:
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise ImportError("pictures need Pillow: pip install 'objectdino[pillow]'") from error
    return PIL


def is_pillow(image: object) -> TypeGuard[PIL.Image.Image]:
    return any(f"{kind.__module__}.{kind.__name__}" == "PIL.Image.Image" for kind in type(image).__mro__)


def is_torch(image: object) -> TypeGuard[torch.Tensor]:
    return any(f"{kind.__module__}.{kind.__name__}" == "torch.Tensor" for kind in type(image).__mro__)


def to_proto(image: ImageInput, orientation: str = "apply") -> tuple[pb.Image, int]:
    """What is sent, and the EXIF orientation that was undone before (1 = none). InvalidImage: not an image."""
    if orientation not in ("apply", "ignore"):
        raise ValueError(f"orientation must be 'apply' or 'ignore', not {orientation!r}")
    is_ignored = orientation == "ignore"
    wanted = pb.ORIENTATION_IGNORE if is_ignored else pb.ORIENTATION_UNSPECIFIED
    if isinstance(image, (str, os.PathLike)):
        return pb.Image(encoded=_read(image), orientation=wanted), 1
    if isinstance(image, (bytes, bytearray, memoryview)):
        return pb.Image(encoded=bytes(image), orientation=wanted), 1
    undone = 1
    if is_pillow(image):
        undone = 1 if is_ignored else exif_orientation(image)
        rgb = np.asarray(to_rgb(undo(image, undone)))
    elif is_torch(image):
        rgb = _from_torch(image)
    elif isinstance(image, np.ndarray):
        rgb = image
    else:
        raise TypeError(f"an image is a path, bytes, a PIL image, an array or a tensor, not {type(image).__name__}")
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise invalid(f"an array must be uint8 [H, W, 3], got {rgb.dtype} {list(rgb.shape)}")
    height, width, _ = rgb.shape
    if height == 0 or width == 0:
        raise invalid(f"the image is empty: {height} x {width} (height x width)")
    return pb.Image(raw=pb.RawImage(height=height, width=width, rgb=rgb.tobytes())), undone


def _read(path: str | os.PathLike[str]) -> bytes:
    if isinstance(path, str) and path.split(":", 1)[0] in ("http", "https", "ftp", "data", "s3", "gs"):
        raise invalid("URLs are not fetched: pass the bytes of the image")
    try:
        return pathlib.Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise invalid(f"{os.fspath(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _from_torch(image: Any) -> npt.NDArray[np.uint8]:
    if image.ndim != 3 or image.shape[0] != 3:
        raise invalid(f"a tensor must be [3, H, W], got {list(image.shape)}")
    planes = image.detach().cpu()
    if planes.dtype.is_floating_point:
        planes = planes.float()
        if planes.numel() and not bool((planes >= 0).all() and (planes <= 1).all()):
            raise invalid("a tensor of floating point must be in [0, 1]: undo the normalisation first")
        planes = (planes * 255).round().byte()
    rgb: npt.NDArray[np.uint8] = planes.permute(1, 2, 0).contiguous().numpy()
    return rgb


# ---- Pillow ---------------------------------------------------------------------------------------------------


def exif_orientation(image: PIL.Image.Image) -> int:
    """1 to 8; 1 where there is none, or none that makes sense."""
    value = image.getexif().get(_EXIF_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def undo(image: PIL.Image.Image, orientation: int) -> PIL.Image.Image:
    """The pixels, upright, where they are stored in this EXIF orientation."""
    transpose = require_pillow().Image.Transpose
    steps = {
        2: transpose.FLIP_LEFT_RIGHT,
        3: transpose.ROTATE_180,
        4: transpose.FLIP_TOP_BOTTOM,
        5: transpose.TRANSPOSE,
        6: transpose.ROTATE_270,
        7: transpose.TRANSVERSE,
        8: transpose.ROTATE_90,
    }
    return image.transpose(steps[orientation]) if orientation in steps else image


def to_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """8-bit RGB, by the server's rules."""
    if image.mode.startswith("I;16") or image.mode == "I":
        pixels = np.asarray(image).astype(np.uint32)
        image = require_pillow().Image.fromarray((pixels >> 8).clip(0, 255).astype(np.uint8))
    if "transparency" in image.info:  # else Pillow warns
        image = image.convert("RGBA")
    return image if image.mode == "RGB" else image.convert("RGB")


def upright(image: ImageInput, orientation: int) -> PIL.Image.Image:
    """The pixels that were grounded, 8-bit RGB. `orientation`: what was undone for the answer.

    A caller may have turned the image already: pixels that do not claim this orientation are taken as they are.
    """
    pil = require_pillow()
    if is_pillow(image):
        opened: PIL.Image.Image = image
    elif isinstance(image, (str, os.PathLike, bytes, bytearray, memoryview)):
        data = _read(image) if isinstance(image, (str, os.PathLike)) else bytes(image)
        try:
            opened = pil.Image.open(io.BytesIO(data))
            opened.load()
        except (OSError, SyntaxError, pil.Image.DecompressionBombError) as error:
            raise invalid(f"Pillow cannot open the image: {error}") from error
    else:
        sent, _ = to_proto(image)
        opened = pil.Image.frombytes("RGB", (sent.raw.width, sent.raw.height), sent.raw.rgb)
    return to_rgb(undo(opened, orientation) if exif_orientation(opened) == orientation else opened)
