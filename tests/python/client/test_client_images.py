# SPDX-License-Identifier: Apache-2.0
"""What may be grounded, and how it goes onto the wire."""
import io
import pathlib
import subprocess
import sys

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from objectdino import GroundingClient, errors, images
from objectdino.testing import FakeServer

PIXELS = np.random.default_rng(1).integers(0, 256, (30, 40, 3), dtype=np.uint8)
EXIF_ORIENTATION = 0x0112


def encode(pixels, kind="PNG", orientation=None):
    picture = PIL.Image.fromarray(pixels)
    buffer = io.BytesIO()
    exif = PIL.Image.Exif()
    if orientation is not None:
        exif[EXIF_ORIENTATION] = orientation
    picture.save(buffer, kind, exif=exif)
    return buffer.getvalue()


def raw_of(image, **options):
    sent, undone = images.to_proto(image, **options)
    assert sent.WhichOneof("source") == "raw"
    return np.frombuffer(sent.raw.rgb, np.uint8).reshape(sent.raw.height, sent.raw.width, 3), undone


@pytest.mark.parametrize("make", [str, pathlib.Path])
def test_files_are_sent_as_they_are(tmp_path, make):
    (tmp_path / "a.png").write_bytes(b"any bytes")
    assert images.to_proto(make(tmp_path / "a.png"))[0].encoded == b"any bytes"


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_bytes_are_sent_as_they_are(make):
    assert images.to_proto(make(b"any bytes"))[0].encoded == b"any bytes"


def test_array_is_sent_raw():
    sent, undone = raw_of(PIXELS)
    assert np.array_equal(sent, PIXELS) and undone == 1


@pytest.mark.parametrize("view", [PIXELS[::2, ::-1], PIXELS[..., ::-1], np.asfortranarray(PIXELS)])
def test_array_of_any_strides_is_sent_in_order(view):
    assert np.array_equal(raw_of(view)[0], view)


@pytest.mark.parametrize("mode, expected", [
    ("RGB", lambda p: p), ("L", lambda p: np.repeat(p[..., :1], 3, axis=2)),
    ("RGBA", lambda p: p)])  # alpha is dropped, not blended
def test_pillow_image_becomes_rgb(mode, expected):
    pixels = {"RGB": PIXELS, "L": PIXELS[..., 0],
              "RGBA": np.concatenate((PIXELS, np.full((30, 40, 1), 7, np.uint8)), axis=2)}[mode]
    assert np.array_equal(raw_of(PIL.Image.fromarray(pixels))[0], expected(PIXELS))


def test_pillow_image_of_16_bits_keeps_the_high_byte():
    values = np.arange(0, 65536, 65, dtype=np.uint16)[:1000].reshape(25, 40)
    assert np.array_equal(raw_of(PIL.Image.fromarray(values))[0][..., 0], (values >> 8).astype(np.uint8))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_a_pillow_image_is_undone_as_pillow_does_it(orientation):
    opened = PIL.Image.open(io.BytesIO(encode(PIXELS, orientation=orientation)))
    expected = np.asarray(PIL.ImageOps.exif_transpose(opened))
    sent, undone = raw_of(opened)
    assert np.array_equal(sent, expected) and undone == orientation
    sent, undone = raw_of(opened, orientation="ignore")
    assert np.array_equal(sent, PIXELS) and undone == 1


def test_orientation_of_a_file_is_left_to_the_server():
    data = encode(PIXELS, orientation=6)
    sent, undone = images.to_proto(data)
    assert (sent.encoded, sent.orientation, undone) == (data, 0, 1)
    assert images.to_proto(data, "ignore")[0].orientation == 2


@pytest.mark.parametrize("value", [0, 9, -1, 70000])
def test_orientation_that_makes_no_sense_is_none(value):
    picture = PIL.Image.fromarray(PIXELS)
    picture.getexif()[EXIF_ORIENTATION] = value
    assert images.exif_orientation(picture) == 1


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_upright_is_what_was_grounded_whether_the_caller_turned_it_or_not(orientation):
    data = encode(PIXELS, orientation=orientation)
    opened = PIL.Image.open(io.BytesIO(data))
    turned = PIL.ImageOps.exif_transpose(opened)
    for given in (data, opened, turned):
        assert np.array_equal(np.asarray(images.upright(given, orientation)), np.asarray(turned))
    # Where nothing was undone, the pixels stay as they are stored.
    assert np.array_equal(np.asarray(images.upright(data, 1)), PIXELS)
    assert np.array_equal(np.asarray(images.upright(PIXELS, orientation)), PIXELS)


def test_torch_tensor_is_planar_rgb():
    torch = pytest.importorskip("torch", exc_type=ImportError)
    planes = torch.from_numpy(PIXELS).permute(2, 0, 1)
    assert np.array_equal(raw_of(planes)[0], PIXELS)
    assert np.array_equal(raw_of(planes.float() / 255)[0], PIXELS)
    assert np.array_equal(raw_of((planes.double() / 255).requires_grad_())[0], PIXELS)
    for wrong in (planes[0], planes.permute(1, 2, 0), planes.float(), planes / 255 - 0.5, planes[None]):
        with pytest.raises(errors.InvalidImage):
            images.to_proto(wrong)


@pytest.mark.parametrize("wrong", [
    PIXELS[..., 0], PIXELS.astype(np.float32), np.zeros((3, 30, 40), np.uint8), np.zeros((4, 4, 4), np.uint8),
    np.zeros((0, 4, 3), np.uint8), "none.jpg", "http://example.com/a.jpg", "nul\0.jpg"])
def test_what_is_no_image_is_named(wrong):
    with pytest.raises(errors.InvalidImage) as caught:
        images.to_proto(wrong)
    assert caught.value.fields[0].field == "image"


def test_other_kinds_are_a_type_error():
    with pytest.raises(TypeError, match="list"):
        images.to_proto([1, 2, 3])


def test_without_pillow_and_torch_arrays_and_files_are_grounded():
    """In a process that cannot import them."""
    program = """
import sys
sys.modules["PIL"] = sys.modules["torch"] = sys.modules["tqdm"] = None
import numpy as np
import objectdino, objectdino.testing
with objectdino.testing.FakeServer() as server, objectdino.GroundingClient(server.target) as client:
    grounding = client.ground(np.zeros((6, 8, 3), np.uint8))
    assert grounding.objects[0].mask.shape == (6, 8) and client.ground(b"x").image_size == (480, 640)
    assert grounding._repr_png_() is None and "Grounding" in repr(grounding)
    try:
        grounding.highlight()
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "objectdino[pillow]" in done.stdout


def test_answer_to_a_turned_pillow_image_is_highlighted_upright():
    opened = PIL.Image.open(io.BytesIO(encode(PIXELS, orientation=6)))
    with FakeServer() as server, GroundingClient(server.target) as client:
        grounding = client.ground(opened)
        assert grounding.image_size == (40, 30) and grounding.orientation == 6
        assert grounding.highlight().size == grounding.highlight(opened).size == (30, 40)
        ignored = client.ground(opened, orientation="ignore")
        assert ignored.image_size == (30, 40) and ignored.highlight().size == (40, 30)
