# SPDX-License-Identifier: Apache-2.0
"""The picture files of the tests: two painted scenes, EXIF orientations, and files a decoder must be careful with."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

# Where the painted object is, x0 y0 x1 y1 in pixels.
OBJECT_BOX = {"scene_480x640": (372, 196, 568, 392), "scene_640x480": (66, 128, 288, 336)}

# ---- scenes ---------------------------------------------------------------------------------------------------


def _noise(rng, shape, sigma):
    """Smooth noise with unit deviation."""
    x = ndimage.gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap")
    return x / x.std()


def _blend(canvas, cover, colour):
    return canvas * (1 - cover[..., None]) + np.asarray(colour, float) * cover[..., None]


def _ellipse(y, x, cy, cx, ry, rx, soft=0.03):
    """Soft coverage 0..1 of an ellipse, and its height over the plane (for shading)."""
    r = np.sqrt(((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2)
    return np.clip((1 - r) / soft, 0, 1), np.sqrt(np.clip(1 - r**2, 0, 1))


def _finish(canvas):
    """uint8, in steps of two levels: half the size on disk, invisible."""
    return (np.clip(np.rint(canvas / 2), 0, 127) * 2).astype(np.uint8)


def ball_scene() -> np.ndarray:
    """480 x 640: a red ball with a light stripe on a wooden floor, before a wall."""
    rng = np.random.RandomState(480640)
    y, x = np.mgrid[0:480, 0:640].astype(float)
    wall = np.stack([168 - y * 0.08, 176 - y * 0.06, 172 - x * 0.03], -1)
    wall = wall + 7 * _noise(rng, (480, 640), 9)[..., None]
    grain = np.sin(y * 0.9 + 5 * _noise(rng, (480, 640), (3, 60)))
    floor = np.array([150.0, 104, 62]) + grain[..., None] * [9, 7, 5] + ((y - 300) * 0.12)[..., None]
    floor = floor * np.where(np.abs((x - 320) / (y - 60 + 1e-9) * 6 % 1 - 0.5) > 0.48, 0.75, 1)[..., None]
    canvas = np.where((y > 300)[..., None], floor, wall)
    shadow, _ = _ellipse(y, x, 388, 500, 16, 120, soft=0.8)
    canvas = _blend(canvas, shadow * 0.55, (40, 26, 16))
    ball, height = _ellipse(y, x, 294, 470, 98, 98)
    light = 0.35 + 0.75 * np.clip(height * 0.7 - (y - 294) / 98 * 0.5 - (x - 470) / 98 * 0.4, 0, 1)
    canvas = _blend(canvas, ball, light[..., None] * [214, 44, 38])
    stripe = np.clip(1 - np.abs((y - 300) + (x - 470) * 0.35) / 15, 0, 1) * ball
    canvas = _blend(canvas, np.clip(stripe * 3, 0, 1), light[..., None] * [240, 232, 214])
    spot, _ = _ellipse(y, x, 250, 432, 16, 20, soft=0.9)
    return _finish(_blend(canvas, spot * 0.8, (255, 250, 244)))


def duck_scene() -> np.ndarray:
    """640 x 480: a yellow duck in the upper left on rippled water."""
    rng = np.random.RandomState(640480)
    y, x = np.mgrid[0:640, 0:480].astype(float)
    ripple = np.sin(y * 0.16 + 2.5 * _noise(rng, (640, 480), (6, 40)))
    canvas = np.array([38.0, 96, 128]) + ripple[..., None] * [10, 14, 16] + (y * 0.05)[..., None]
    canvas = canvas + 4 * _noise(rng, (640, 480), 8)[..., None]
    glow, _ = _ellipse(y, x, 338, 180, 30, 130, soft=0.8)
    canvas = _blend(canvas, glow * 0.5, (16, 44, 60))

    def part(canvas, cy, cx, ry, rx, colour):
        cover, height = _ellipse(y, x, cy, cx, ry, rx, soft=0.05)
        light = 0.45 + 0.6 * np.clip(height * 0.7 - (y - cy) / ry * 0.5 - (x - cx) / rx * 0.2, 0, 1)
        return _blend(canvas, cover, light[..., None] * np.asarray(colour, float))

    canvas = part(canvas, 226, 268, 30, 20, (236, 186, 40))  # tail
    canvas = part(canvas, 270, 188, 66, 96, (246, 200, 48))  # body
    canvas = part(canvas, 262, 206, 32, 50, (222, 168, 32))  # wing
    canvas = part(canvas, 182, 142, 54, 50, (250, 208, 56))  # head
    canvas = part(canvas, 194, 92, 13, 26, (230, 110, 30))  # beak
    return _finish(part(canvas, 170, 122, 8, 8, (24, 20, 20)))  # eye


SCENES = {"scene_480x640": ball_scene, "scene_640x480": duck_scene}


# ---- files ----------------------------------------------------------------------------------------------------


def _chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(path: Path, width, height, depth, colour_type, rows, extra=b""):
    """A PNG of any depth; rows: the packed bytes of one row each; extra: chunks behind the header."""
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(b"\0" + row) for row in rows) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", data) + _chunk(b"IEND", b""))


def _exif(orientation: int) -> bytes:
    """An EXIF block with the orientation tag alone; odd values little-endian, even values big-endian."""
    mark, order = (b"II", "<") if orientation % 2 else (b"MM", ">")
    tag = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + mark + struct.pack(order + "HIH", 42, 8, 1) + tag + struct.pack(order + "I", 0)


def write_exif(folder: Path):
    """orientation_1..8.jpg: the same upright 40 x 24 scene, stored in eight ways; upright.png: the scene."""
    turn = Image.Transpose
    stored = {
        1: None,
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_90,  # shown turned by 90 degrees clockwise, so stored turned the other way
        7: turn.TRANSVERSE,
        8: turn.ROTATE_270,
    }
    upright = Image.fromarray(ball_scene()).crop((300, 150, 620, 342)).resize((40, 24), Image.Resampling.BOX)
    upright.save(folder / "upright.png", optimize=True)
    for orientation, how in stored.items():
        picture = upright if how is None else upright.transpose(how)
        name = f"orientation_{orientation}.jpg"
        picture.save(folder / name, quality=100, subsampling=0, exif=_exif(orientation))


def write_data(folder: Path):
    """Unusual and broken files; tests/golden/README.md says what each one is."""
    picture = Image.fromarray(duck_scene()).crop((20, 90, 340, 330)).resize((64, 48), Image.Resampling.BOX)
    rgb, gray = np.asarray(picture), picture.convert("L")
    height, width = rgb.shape[:2]
    picture.save(folder / "png8.png", optimize=True)
    wide = (rgb.astype(np.uint16) * 257).astype(">u2")  # 257: v * 65535 / 255, exact
    _png(folder / "png16.png", width, height, 16, 2, [row.tobytes() for row in wide])
    gray.save(folder / "gray.png", optimize=True)
    wide = (np.asarray(gray).astype(np.uint16) * 257).astype(">u2")
    _png(folder / "gray16.png", width, height, 16, 0, [row.tobytes() for row in wide])

    alpha = np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))
    Image.fromarray(np.dstack([rgb, alpha])).save(folder / "rgba.png", optimize=True)
    palette = picture.quantize(16, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette.save(folder / "palette.png", optimize=True)
    palette.save(folder / "palette_alpha.png", optimize=True, transparency=bytes([0, 64, 128, 192]))

    cmyk = Image.fromarray(np.dstack([255 - rgb, np.full((height, width), 24, np.uint8)]), mode="CMYK")
    cmyk.save(folder / "cmyk.jpg", quality=95)
    with Image.open(folder / "cmyk.jpg") as stored:
        stored.convert("RGB").save(folder / "cmyk_rgb.png", optimize=True)

    jpeg = io.BytesIO()
    picture.resize((128, 96)).save(jpeg, "JPEG", quality=90)
    (folder / "truncated.jpg").write_bytes(jpeg.getvalue()[: len(jpeg.getvalue()) // 2])
    Image.new("RGB", (1, 1), (200, 100, 50)).save(folder / "one_pixel.png")
    text = _chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(7_900_000), 9))
    _png(folder / "packed_text.png", 1, 1, 8, 2, [bytes([200, 100, 50])], text)
    rows = [bytes(2500)] * 20000
    _png(folder / "bomb_20000x20000_1bit.png", 20000, 20000, 1, 0, rows)
    (folder / "text.jpg").write_text("This is a text file; only its name says otherwise.\n")

    picture.save(folder / "still.webp", lossless=True)
    frames = [picture, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), picture.convert("L").convert("RGB")]
    for name, options in (("animated.webp", {"lossless": True}), ("animated.gif", {})):
        frames[0].save(folder / name, save_all=True, append_images=frames[1:], duration=100, loop=0, **options)
