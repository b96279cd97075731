# SPDX-License-Identifier: Apache-2.0
"""Images of all kinds over the wire: what is refused, and that the rest is read as it should be."""
import io

import grpc
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from conftest import ROOT

DATA = ROOT / "tests" / "data"
ASTRONAUT = ROOT / "examples" / "astronaut.jpg"


def refused(ground, server, encoded, **options):
    with pytest.raises(grpc.RpcError) as caught:
        ground(server, encoded, **options)
    return caught.value


def warnings(stubs, response):
    return [stubs[0].Warning.Code.Name(warning.code) for warning in response.warnings]


@pytest.mark.parametrize("name, reason", [
    ("text.jpg", "JPEG, PNG"), ("truncated.jpg", "cut short"), ("animated.gif", "GIF"), ("animated.webp", "animated")])
def test_file_that_is_no_image_of_ours_is_refused_with_the_reason(ground, server, name, reason):
    error = refused(ground, server, (DATA / name).read_bytes())
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert reason.lower() in error.details().lower()


def test_empty_bytes_are_refused_with_the_field(ground, server):
    error = refused(ground, server, b"")
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert b"google.rpc.BadRequest" in details and b"image" in details


def test_bomb_is_refused_by_its_header_without_spending_memory(ground, server):
    ground(server, ASTRONAUT.read_bytes())
    before = server.peak_memory_mib()
    error = refused(ground, server, (DATA / "bomb_20000x20000_1bit.png").read_bytes())
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "20000" in error.details()
    assert b"IMAGE_TOO_LARGE" in dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert server.peak_memory_mib() - before < 8  # its pixels would take 1200


def test_every_prefix_of_a_jpeg_is_refused_and_the_server_lives_on(ground, server):
    encoded = ASTRONAUT.read_bytes()
    for size in [1, 2, 3, 10, 100, 1000, len(encoded) // 2, len(encoded) - 2]:
        assert refused(ground, server, encoded[:size]).code() == grpc.StatusCode.INVALID_ARGUMENT, size
    assert ground(server, encoded).image.format == "jpeg"


def test_one_pixel_is_grounded_with_a_warning(ground, server, stubs):
    response = ground(server, (DATA / "one_pixel.png").read_bytes())
    assert (response.image.height, response.image.width) == (1, 1)
    assert "CODE_IMAGE_TOO_SMALL" in warnings(stubs, response)


@pytest.mark.parametrize("name, format", [
    ("png16.png", "png"), ("gray.png", "png"), ("gray16.png", "png"), ("palette.png", "png"),
    ("palette_alpha.png", "png"), ("rgba.png", "png"), ("cmyk.jpg", "jpeg"), ("still.webp", "webp")])
def test_image_of_another_kind_is_read_like_its_8_bit_rgb_form(ground, server, name, format):
    response = ground(server, (DATA / name).read_bytes())
    assert (response.image.format, response.image.width, response.image.height) == (format, 64, 48)
    plain = {"png16.png": "png8.png", "gray16.png": "gray.png"}.get(name)
    if plain:
        assert response.objectness == ground(server, (DATA / plain).read_bytes()).objectness


@pytest.fixture(scope="module")
def oriented():
    """The upper left of the astronaut, stored in each of the eight EXIF orientations."""
    with Image.open(ASTRONAUT) as image:
        upright = image.convert("RGB").crop((0, 0, 448, 304))
    undo = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270}
    files = {}
    for orientation in range(1, 9):
        stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
        exif = Image.Exif()
        exif[274] = orientation
        file = io.BytesIO()
        stored.save(file, "JPEG", quality=100, subsampling=0, exif=exif)
        files[orientation] = file.getvalue()
    return files


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_orientation_gives_the_same_boxes(ground, real_server, oriented, orientation):
    def boxes(response):
        return np.array([[found.box.x1, found.box.y1, found.box.x2, found.box.y2] for found in response.objects])
    upright = ground(real_server, oriented[1])
    turned = ground(real_server, oriented[orientation])
    assert (turned.image.width, turned.image.height) == (448, 304)
    assert turned.image.applied_orientation == orientation
    assert len(upright.objects) > 0
    np.testing.assert_allclose(boxes(turned), boxes(upright), atol=28)  # one patch


def test_unrefined_pixel_mask_is_a_coco_mask_of_the_image_that_fills_the_box(ground, server, stubs):
    response = ground(server, ASTRONAUT.read_bytes(), outputs=[stubs[0].OUTPUT_PIXEL_MASKS],
                      mask_refinement=stubs[0].MASK_REFINEMENT_NONE)
    assert response.objects
    for found in response.objects:
        rle = {"size": [found.pixel_mask.height, found.pixel_mask.width], "counts": found.pixel_mask.coco_rle}
        rows, cols = np.nonzero(coco.decode(rle))
        assert rle["size"] == [response.image.height, response.image.width]
        np.testing.assert_allclose([cols.min(), rows.min(), cols.max() + 1, rows.max() + 1],
                                   [found.box.x1, found.box.y1, found.box.x2, found.box.y2], atol=1)
