# SPDX-License-Identifier: Apache-2.0
"""Answers decoded: masks against pycocotools, arrays, token grids and pictures against slow plain twins and goldens."""
import dataclasses
import io
import math
import pathlib
import sys
import types

import numpy as np
import PIL.Image
import pytest
from pycocotools import mask as coco

from objectdino import Grounding, errors, highlight, masks, token_grid
from objectdino._proto import grounding_service_pb2 as pb
from objectdino._tensor import to_numpy
from objectdino.testing import make_answer

GOLDEN = pathlib.Path(__file__).parent / "golden"


def masks_of_all_kinds(seed, count):
    random = np.random.default_rng(seed)
    for _ in range(count):
        height, width = random.integers(1, 40, 2)
        mask = random.random((height, width)) < random.choice([0.0, 0.02, 0.5, 0.98, 1.0])
        if random.random() < 0.3:  # long runs: counts of more than one character
            mask = np.repeat(np.repeat(mask, random.integers(1, 30), axis=0), random.integers(1, 30), axis=1)
        yield mask


# ---- masks ------------------------------------------------------------------------------------------------------------

def test_rle_equals_pycocotools_both_ways():
    for mask in masks_of_all_kinds(seed=1, count=2000):
        expected = coco.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"]
        assert masks.encode(mask) == expected, mask.shape
        decoded = masks.decode(expected, *mask.shape)
        assert decoded.dtype == np.bool_ and np.array_equal(decoded, mask)


def test_rle_of_a_large_mask_equals_pycocotools():
    mask = np.zeros((3000, 4000), dtype=np.bool_)
    mask[500:2500, 700:3300] = True
    expected = coco.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"]
    assert masks.encode(mask) == expected and np.array_equal(masks.decode(expected, 3000, 4000), mask)


@pytest.mark.parametrize("counts, height, width", [
    (b"", 2, 3), (b"7", 2, 3), (b"5", 2, 3), (b"52", 2, 3), (b"\x01", 2, 3), (b"p", 2, 3), (b"P", 2, 3),
    (b"\xff", 2, 3), (b"PPPPPPPP1", 2, 3), (b"O7", 2, 3), (b"6", -2, -3), (b"0", 0, -1), (b"6", 70000, 70000)])
def test_bytes_that_are_no_mask_are_refused(counts, height, width):
    with pytest.raises(ValueError, match="RLE"):
        masks.decode(counts, height, width)


def test_random_bytes_are_refused_or_decoded_but_never_crash():
    random = np.random.default_rng(2)
    decoded = 0
    for _ in range(5000):
        counts = random.integers(44, 116, random.integers(0, 8)).astype(np.uint8).tobytes()
        try:
            decoded += masks.decode(counts, 2, 3).size == 6
        except ValueError:
            pass
    assert decoded > 0


def test_encoding_takes_two_dimensions():
    with pytest.raises(ValueError, match="height"):
        masks.encode(np.zeros((2, 2, 2)))


# ---- answers ----------------------------------------------------------------------------------------------------------

def test_objects_are_what_the_answer_says():
    raw = make_answer((480, 640), [((80, 120, 400, 360), 0.75), ((0, 0, 40, 30), 0.25)], outputs=["objects", "pixel_masks"])
    grounding = Grounding(raw)
    first, second = grounding.objects
    assert (first.index, first.score, first.box, first.box_norm) == (
        0, 0.75, (80.0, 120.0, 400.0, 360.0), (0.125, 0.25, 0.625, 0.75))
    assert first.patch_mask.shape == (16, 16) and first.patch_mask.sum() == 64 == len(first.patch_indices)
    assert first.mask.shape == (480, 640) and first.mask.sum() == 320 * 240 and first.mask[120, 80] and not first.mask[119, 80]
    assert first.rle == {"size": [480, 640], "counts": raw.objects[0].pixel_mask.coco_rle}
    assert np.array_equal(coco.decode(first.rle).astype(bool), first.mask)
    assert first.embedding.dtype == np.float32 and np.linalg.norm(first.embedding) == pytest.approx(1, abs=2e-3)
    assert first.anchor == (240.0, 240.0) and first.area_fraction == 0.25
    assert second.box == (0.0, 0.0, 40.0, 30.0) and "0.25" in repr(second)
    assert grounding.grid == (16, 16, 14, (0.0, 0.0, 640.0, 480.0)) and grounding.image_size == (480, 640)
    assert grounding.method == "object_dino" and "2 objects in 640x480" in repr(grounding)


def test_mask_without_pixel_mask_is_on_borders_of_patches():
    """The slow twin: a pixel belongs to the patch of its centre."""
    raw = make_answer((45, 70), [((11, 7, 50, 40), 0.5)], grid=(7, 9))
    raw.grid.content.CopyFrom(pb.Box(x1=3.5, y1=2, x2=64.25, y2=45))
    found, = Grounding(raw).objects
    expected = np.zeros((45, 70), dtype=bool)
    for y in range(45):
        for x in range(70):
            row, col = (y + 0.5 - 2) / 43 * 7, (x + 0.5 - 3.5) / 60.75 * 9
            if 0 <= row < 7 and 0 <= col < 9:
                expected[y, x] = found.patch_mask[int(row), int(col)]
    assert np.array_equal(found.mask, expected) and expected.any() and not expected.all()
    assert np.array_equal(coco.decode(found.rle).astype(bool), expected)


def test_png_mask_is_decoded():
    raw = make_answer((20, 30))
    mask = np.random.default_rng(3).random((20, 30)) < 0.5
    buffer = io.BytesIO()
    PIL.Image.fromarray(mask.astype(np.uint8) * 255).save(buffer, "PNG")
    raw.objects[0].pixel_mask.CopyFrom(pb.Mask(height=20, width=30, png=buffer.getvalue()))
    found, = Grounding(raw).objects
    assert np.array_equal(found.mask, mask) and np.array_equal(coco.decode(found.rle).astype(bool), mask)


def test_answers_are_frozen():
    grounding = Grounding(make_answer(outputs=["objects", "objectness", "patch_embeddings", "pixel_masks"]))
    found = grounding.objects[0]
    for thing, name in ((grounding, "raw"), (found, "raw"), (grounding.patches, "raw")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, None)
    arrays = [grounding.objectness, found.mask, found.patch_mask, found.embedding, grounding.patches.values]
    for array in arrays:
        assert not array.flags.writeable
    assert grounding.objectness is grounding.objectness and found.mask is found.mask, "decoded once"
    assert grounding.objectness.base is not None, "a view of the answer"


def test_what_was_not_asked_for_says_how_to_ask():
    grounding = Grounding(make_answer(outputs=["objects"]))
    with pytest.raises(ValueError, match="objectness"):
        _ = grounding.objectness
    with pytest.raises(ValueError, match="patch_embeddings"):
        _ = grounding.patches


def test_warnings_are_named_also_those_of_the_future():
    raw = make_answer(warnings=[("low_confidence", "degenerate")])
    raw.warnings.add(code=99, message="new")
    assert Grounding(raw).warnings == (("low_confidence", "degenerate"), ("99", "new"))


def test_answers_that_contradict_themselves_are_an_error():
    raw = make_answer((20, 30), outputs=["objects", "objectness", "pixel_masks"])
    raw.objects[0].pixel_mask.width = 31
    raw.objects[0].mask.coco_rle = b"nonsense"
    raw.objectness.data = raw.objectness.data[:-1]
    grounding = Grounding(raw)
    for read in (lambda: grounding.objects[0].mask, lambda: grounding.objects[0].patch_mask, lambda: grounding.objectness):
        with pytest.raises(errors.BadAnswer):
            read()


@pytest.mark.parametrize("dtype, name", [(pb.DATA_TYPE_F32, "<f4"), (pb.DATA_TYPE_F16, "<f2"), (pb.DATA_TYPE_U8, "u1")])
def test_tensors_are_views(dtype, name):
    values = np.arange(24).reshape(2, 3, 4).astype(name)
    tensor = pb.Tensor(dtype=dtype, shape=(2, 3, 4), data=values.tobytes())
    assert np.array_equal(to_numpy(tensor), values) and to_numpy(tensor).dtype == np.dtype(name)


def test_bf16_equals_ml_dtypes_bit_for_bit():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    every = np.arange(1 << 16, dtype=np.uint16)
    read = to_numpy(pb.Tensor(dtype=pb.DATA_TYPE_BF16, shape=(256, 256), data=every.tobytes()))
    expected = every.view(ml_dtypes.bfloat16).astype(np.float32).reshape(256, 256)
    assert read.dtype == np.float32 and np.array_equal(read, expected, equal_nan=True)


def test_tensor_of_unknown_type_is_an_error():
    with pytest.raises(errors.BadAnswer, match="unknown"):
        to_numpy(pb.Tensor(dtype=9, shape=(1,), data=b"1234"))


# ---- token grids ------------------------------------------------------------------------------------------------------

def tokens_by_sampling(values, content, image_size, rows, cols, fit, samples=200):
    """The slow twin: every token asked at many points."""
    height, width = image_size
    scale = {"center_crop": min, "pad": max}.get(fit)
    across, down = width / cols, height / rows
    if scale:
        across = down = scale(across, down)
    result = np.zeros((rows, cols))
    for row in range(rows):
        for col in range(cols):
            for i in range(samples):
                y = height / 2 + (row + (i + 0.5) / samples - rows / 2) * down
                cell_y = (y - content[1]) / (content[3] - content[1]) * values.shape[0]
                if not 0 <= cell_y < values.shape[0]:
                    continue
                x = width / 2 + (col + (np.arange(samples) + 0.5) / samples - cols / 2) * across
                cell_x = (x - content[0]) / (content[2] - content[0]) * values.shape[1]
                inside = (cell_x >= 0) & (cell_x < values.shape[1])
                result[row, col] += values[int(cell_y), cell_x[inside].astype(int)].sum()
    return result / samples**2


@pytest.mark.parametrize("fit", ["stretch", "center_crop", "pad"])
@pytest.mark.parametrize("image_size, grid, shape", [
    ((480, 640), (16, 16), (24, 24)), ((640, 480), (9, 7), (5, 8)), ((100, 100), (4, 4), (4, 4)),
    ((50, 300), (3, 20), (6, 6))])
def test_token_grid_equals_its_slow_twin(fit, image_size, grid, shape):
    values = np.random.default_rng(4).random(grid).astype(np.float32)
    raw = make_answer(image_size, [], grid=grid, objectness=values)
    tokens = Grounding(raw).token_grid(*shape, fit=fit)
    expected = tokens_by_sampling(values, (0, 0, image_size[1], image_size[0]), image_size, *shape, fit)
    assert tokens.dtype == np.float32 and tokens.shape == shape
    np.testing.assert_allclose(tokens, expected, atol=0.01)


def test_token_grid_of_the_same_shape_is_the_map():
    values = np.random.default_rng(5).random((16, 16)).astype(np.float32)
    grounding = Grounding(make_answer((480, 640), [], objectness=values))
    np.testing.assert_allclose(grounding.token_grid(16, 16), values, rtol=1e-6)


def test_token_grid_windows_are_those_of_the_towers():
    assert token_grid.window(480, 640, 24, 24, "center_crop") == (80, 0, 560, 480)  # CLIP's crop
    assert token_grid.window(480, 640, 24, 24, "pad") == (0, -80, 640, 560)  # LLaVA's padding
    assert token_grid.window(480, 640, 17, 23, "stretch") == (0, 0, 640, 480)
    padded = Grounding(make_answer((480, 640), [], objectness=np.ones((16, 16)))).token_grid(24, 24, fit="pad")
    assert np.all(padded[:3] == 0) and np.all(padded[-3:] == 0) and np.allclose(padded[3:-3], 1)


@pytest.mark.parametrize("arguments, text", [((0, 4), "0 x 4"), ((4, 4, "squash"), "squash")])
def test_token_grid_that_is_none_is_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        Grounding(make_answer()).token_grid(*arguments)


# ---- pictures ---------------------------------------------------------------------------------------------------------

def painted_slowly(pixels, values, content, style):
    """The slow twin of highlight.paint: pixel by pixel, as the C++ client's overlay tints."""
    out = pixels.astype(np.float64)
    height, width = pixels.shape[:2]
    rows, cols = values.shape
    for y in range(height):
        for x in range(width):
            v = (y + 0.5 - content[1]) / (content[3] - content[1]) * rows
            u = (x + 0.5 - content[0]) / (content[2] - content[0]) * cols
            if not (0 <= v <= rows and 0 <= u <= cols):
                continue
            v, u = min(max(v - 0.5, 0), rows - 1), min(max(u - 0.5, 0), cols - 1)
            top, left = int(v), int(u)
            bottom, right = min(top + 1, rows - 1), min(left + 1, cols - 1)
            upper = values[top, left] * (1 - (u - left)) + values[top, right] * (u - left)
            lower = values[bottom, left] * (1 - (u - left)) + values[bottom, right] * (u - left)
            objectness = upper * (1 - (v - top)) + lower * (v - top)
            if style == "tint":
                share, colour = 0.6 * max(0, (objectness - 0.5) / 0.5), (255, 0, 0)
            else:
                share, colour = 0.5, jet_slowly(objectness)
            for c in range(3):
                out[y, x, c] = out[y, x, c] * (1 - share) + colour[c] * share
    return out


def jet_slowly(value):
    """Straight lines between the corners of the colour map."""
    def line(corners):
        for (x0, y0), (x1, y1) in zip(corners, corners[1:]):
            if value <= x1:
                return 255 * (y0 + (y1 - y0) * (value - x0) / (x1 - x0))
        return 255 * corners[-1][1]
    return (line([(0, 0), (0.35, 0), (0.66, 1), (0.89, 1), (1, 0.5)]),
            line([(0, 0), (0.125, 0), (0.375, 1), (0.64, 1), (0.91, 0), (1, 0)]),
            line([(0, 0.5), (0.11, 1), (0.34, 1), (0.65, 0), (1, 0)]))


@pytest.mark.parametrize("style", ["tint", "jet"])
@pytest.mark.parametrize("content", [(0, 0, 53, 41), (4.5, 3, 50.25, 37)])
def test_painting_equals_its_slow_twin(style, content):
    random = np.random.default_rng(6)
    pixels = random.integers(0, 256, (41, 53, 3), dtype=np.uint8)
    values = random.random((5, 7)).astype(np.float32)
    painted = highlight.paint(pixels, values, content, style)
    assert painted.dtype == np.uint8
    assert np.abs(painted - painted_slowly(pixels, values, content, style)).max() <= 0.51


def golden_scene():
    """A gradient under a map with one bump."""
    rows, cols = np.mgrid[0:60, 0:80]
    pixels = np.stack((rows * 4, cols * 3, 255 - rows * 2), axis=-1).astype(np.uint8)
    y, x = np.mgrid[0:6, 0:8]
    values = np.exp(-((y - 2) ** 2 + (x - 4) ** 2) / 4).astype(np.float32)
    return pixels, Grounding(make_answer((60, 80), [((30, 10, 60, 40), 0.8)], grid=(6, 8), objectness=values))


@pytest.mark.parametrize("style", ["tint", "jet"])
def test_highlight_equals_its_golden_picture(style):
    """After a wanted change: save `picture` in the file, and look at it."""
    pixels, grounding = golden_scene()
    picture = grounding.highlight(pixels, style=style)
    assert picture.mode == "RGB" and picture.size == (80, 60)
    difference = np.abs(np.asarray(picture, dtype=int) - np.asarray(PIL.Image.open(GOLDEN / f"{style}.png"), dtype=int))
    assert difference.max() <= 1


def test_tint_leaves_what_is_no_object_alone():
    pixels, grounding = golden_scene()
    painted = np.asarray(grounding.highlight(pixels))
    changed = (painted != pixels).any(axis=-1)
    assert 0 < changed.mean() < 0.3
    assert np.array_equal(np.asarray(grounding.highlight(pixels, opacity=0)), pixels)
    whole = np.asarray(grounding.highlight(pixels, style="jet"))
    assert (whole != pixels).any(axis=-1).mean() > 0.95


@pytest.mark.parametrize("options, text", [
    ({"style": "blur"}, "blur"), ({"opacity": 1.5}, "opacity"), ({"threshold": 1}, "threshold")])
def test_highlight_arguments_are_checked(options, text):
    pixels, grounding = golden_scene()
    with pytest.raises(ValueError, match=text):
        grounding.highlight(pixels, **options)


def test_highlight_of_another_image_is_refused():
    pixels, grounding = golden_scene()
    with pytest.raises(ValueError, match="59 x 80.*60 x 80"):
        grounding.highlight(pixels[:-1])
    with pytest.raises(ValueError, match="pass the one"):
        grounding.highlight()


def test_crops_have_context_where_the_image_has():
    pixels, grounding = golden_scene()
    crop, = grounding.crops(pixels, context=0.1)  # the box is 30 .. 60 x 10 .. 40
    assert np.array_equal(np.asarray(crop), pixels[7:43, 27:63])
    crop, = grounding.crops(pixels, context=0)
    assert np.array_equal(np.asarray(crop), pixels[10:40, 30:60])
    crop, = grounding.crops(pixels, context=9)
    assert np.array_equal(np.asarray(crop), pixels)
    with pytest.raises(ValueError, match="context"):
        grounding.crops(pixels, context=-1)


def test_annotated_picture_marks_the_boxes():
    pixels, grounding = golden_scene()
    picture = np.asarray(grounding.annotate(pixels))
    assert picture.shape == pixels.shape
    assert tuple(picture[39, 45]) == highlight.COLOURS[0], "the lower side of the box"
    assert np.array_equal(picture[45:, :], np.asarray(grounding.highlight(pixels))[45:, :])


@pytest.mark.parametrize("with_image", [True, False])
def test_notebook_shows_a_png(with_image):
    pixels, grounding = golden_scene()
    shown = Grounding(grounding.raw, pixels if with_image else None)
    picture = PIL.Image.open(io.BytesIO(shown._repr_png_()))
    assert picture.format == "PNG" and picture.size == (80, 60)
    assert tuple(np.asarray(picture)[39, 45]) == highlight.COLOURS[0]


def test_prompt_is_text_for_a_model():
    grounding = Grounding(make_answer((480, 640), [((80, 120, 400, 360), 0.75), ((0, 0, 40, 30), 0.25)]))
    assert grounding.prompt() == (
        "2 object regions, best first, as [x1, y1, x2, y2] from 0 to 1000:\n"
        "#1 [125, 250, 625, 750] score 0.75, 25% of the image\n"
        "#2 [0, 0, 62, 62] score 0.25, 0% of the image")
    assert "in pixels of 640 x 480:\n#1 [80, 120, 400, 360]" in grounding.prompt("pixels")
    assert "from 0 to 1:\n#1 [0.12, 0.25, 0.62, 0.75]" in grounding.prompt("unit", max_objects=1)
    assert "#2" not in grounding.prompt(max_objects=1)
    assert Grounding(make_answer(objects=[])).prompt() == "No region of the image stands out as an object."
    with pytest.raises(ValueError, match="percent"):
        grounding.prompt("percent")


def test_supervision_gets_arrays_of_its_kinds(monkeypatch):
    """The real library is large; what it is given is checked by its own rules."""
    @dataclasses.dataclass
    class Detections:
        xyxy: np.ndarray
        mask: np.ndarray
        confidence: np.ndarray
        class_id: np.ndarray
        data: dict

        @staticmethod
        def empty():
            return "empty"
    monkeypatch.setitem(sys.modules, "supervision", types.SimpleNamespace(Detections=Detections))
    found = Grounding(make_answer((48, 64), [((8, 8, 32, 32), 0.75), ((40, 4, 60, 20), 0.25)])).to_supervision()
    assert found.xyxy.shape == (2, 4) and found.mask.shape == (2, 48, 64) and found.mask.dtype == np.bool_
    assert found.confidence.tolist() == [0.75, 0.25] and found.class_id.tolist() == [0, 0]
    assert found.data["index"].tolist() == [0, 1]
    assert Grounding(make_answer(objects=[])).to_supervision() == "empty"


def test_supervision_that_is_not_there_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(ImportError, match=r"objectdino\[supervision\]"):
        Grounding(make_answer()).to_supervision()


