# SPDX-License-Identifier: Apache-2.0
"""Masks at image resolution: what is in the answer, and how good they are."""
import io
import json

import grpc
import numpy as np
import pytest
from PIL import Image, ImageDraw
from pycocotools import mask as coco
from scipy import ndimage

from conftest import ROOT

EXAMPLES = ROOT / "examples"
ASTRONAUT = EXAMPLES / "astronaut.jpg"
COFFEE = EXAMPLES / "coffee.png"
COCO128 = ROOT.parent / "shared" / "data" / "coco128"
PIXEL_MASKS, RLE, PNG, NONE, EDGE_AWARE = 3, 1, 2, 1, 2  # of the proto's enums
WORKING_SIDE = 320


def from_rle(mask):
    """bool [height, width]"""
    return coco.decode({"size": [mask.height, mask.width], "counts": mask.coco_rle}).astype(bool)


def patches_at(patches, height, width):
    """Every pixel of the image has the value of the patch that its centre falls in."""
    rows = (2 * np.arange(height) + 1) * patches.shape[0] // (2 * height)
    cols = (2 * np.arange(width) + 1) * patches.shape[1] // (2 * width)
    return patches[np.ix_(rows, cols)]


def iou(a, b):
    return (a & b).sum() / max((a | b).sum(), 1)


@pytest.mark.parametrize("path", [ASTRONAUT, COFFEE, ROOT / "tests/golden/exif/orientation_6.jpg"], ids=lambda p: p.name)
def test_pixel_masks_decode_and_formats_agree(ground, server, path):
    encoded = path.read_bytes()
    as_rle = ground(server, encoded, outputs=[PIXEL_MASKS])
    as_png = ground(server, encoded, outputs=[PIXEL_MASKS], mask_format=PNG)
    assert as_rle.objects
    assert len(as_png.objects) == len(as_rle.objects)
    assert as_rle.timing.masks_ms > 0
    for one, other in zip(as_rle.objects, as_png.objects):
        pixels = from_rle(one.pixel_mask)
        assert pixels.shape == (as_rle.image.height, as_rle.image.width)
        assert pixels.any()
        assert not other.pixel_mask.coco_rle
        with Image.open(io.BytesIO(other.pixel_mask.png)) as png:
            assert (png.format, png.mode) == ("PNG", "L")
            assert np.array_equal(np.asarray(png), pixels * np.uint8(255))


@pytest.mark.parametrize("path", [ASTRONAUT, COFFEE], ids=lambda p: p.name)
def test_refinement_none_is_the_patch_mask_exactly(ground, server, path):
    answer = ground(server, path.read_bytes(), outputs=[PIXEL_MASKS], mask_refinement=NONE)
    for found in answer.objects:
        expected = patches_at(from_rle(found.mask), answer.image.height, answer.image.width)
        assert np.array_equal(from_rle(found.pixel_mask), expected)


def test_edge_aware_is_the_default_and_objects_share_no_pixel(ground, server):
    encoded = ASTRONAUT.read_bytes()
    default = ground(server, encoded, outputs=[PIXEL_MASKS])
    asked = ground(server, encoded, outputs=[PIXEL_MASKS], mask_refinement=EDGE_AWARE)
    masks = [from_rle(found.pixel_mask) for found in default.objects]
    assert [found.pixel_mask for found in default.objects] == [found.pixel_mask for found in asked.objects]
    assert len(masks) > 1, "nothing to share"
    assert np.sum(masks, axis=0).max() == 1


@pytest.mark.parametrize("option", ["mask_refinement", "mask_format"])
def test_mask_options_without_pixel_masks_are_refused(ground, server, option):
    with pytest.raises(grpc.RpcError) as refused:
        ground(server, ASTRONAUT.read_bytes(), **{option: 1})
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert f"options.{option}" in refused.value.details()


def test_no_pixel_masks_unless_asked_for(ground, server):
    answer = ground(server, ASTRONAUT.read_bytes())
    assert not any(found.HasField("pixel_mask") for found in answer.objects)
    assert answer.timing.masks_ms == 0


def test_cli_masks_are_those_of_the_answer(cli, ground, real_server, tmp_path):
    done = cli("ground", COFFEE, "--masks", tmp_path, "--json", "--server", real_server.grpc)
    assert done.returncode == 0, done.stderr
    answer = ground(real_server, COFFEE.read_bytes(), outputs=[PIXEL_MASKS])
    entry, = json.loads(done.stdout)
    assert len(entry["objects"]) == len(answer.objects) > 0
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"coffee.{i}.png" for i in range(len(answer.objects))]
    for found in answer.objects:
        with Image.open(tmp_path / f"coffee.{found.index}.png") as png:
            assert np.array_equal(np.asarray(png) == 255, from_rle(found.pixel_mask))


# ---------------------------------------------------------------- against NumPy

def guided_filter(colours, values, radius, ridge=1e-4):
    """Colour guided filter; `colours` [height, width, 3] in [0, 1]."""
    def mean(x):
        size = [2 * r + 1 for r in radius] + [1] * (x.ndim - 2)
        return ndimage.uniform_filter(x, size, mode="reflect")
    m, p = mean(colours), mean(values)
    covariance = mean(colours[..., :, None] * colours[..., None, :]) - m[..., :, None] * m[..., None, :]
    cross = mean(colours * values[..., None]) - m * p[..., None]
    slope = np.linalg.solve(covariance + ridge * np.eye(3), cross[..., None])[..., 0]
    return (mean(slope) * colours).sum(-1) + mean(p - (slope * m).sum(-1))


def drop_small(mask, area):
    labels, count = ndimage.label(mask)
    sizes = ndimage.sum_labels(mask, labels, np.arange(1, count + 1))
    return np.isin(labels, 1 + np.flatnonzero((sizes >= area) | (sizes == sizes.max(initial=0))))


@pytest.mark.parametrize("path", [ASTRONAUT, COFFEE], ids=lambda p: p.name)
def test_edge_aware_equals_numpy(ground, real_server, path):
    """One object only, so its territory is all that is near. Pillow shrinks the image a little differently."""
    answer = ground(real_server, path.read_bytes(), outputs=[PIXEL_MASKS], max_objects=1)
    with Image.open(path) as image:
        scale = WORKING_SIDE / max(image.size)
        small = image.convert("RGB").resize([round(side * scale) for side in image.size], Image.Resampling.BOX)
    patches = from_rle(answer.objects[0].mask)
    height, width = small.height, small.width
    exact = patches_at(patches, height, width)
    near = patches_at(ndimage.binary_dilation(patches, np.ones((3, 3))), height, width)
    radius = [round(height / patches.shape[0]), round(width / patches.shape[1])]
    patch_area = height * width / patches.size
    mask = drop_small(near & (guided_filter(np.asarray(small) / 255.0, exact * 1.0, radius) > 0.5), patch_area)
    holes, count = ndimage.label(~mask)
    sizes = ndimage.sum_labels(~mask, holes, np.arange(1, count + 1))
    mask = near & (mask | np.isin(holes, 1 + np.flatnonzero(sizes < patch_area)))
    pixels = Image.fromarray(from_rle(answer.objects[0].pixel_mask)).resize((width, height), Image.Resampling.NEAREST)
    assert iou(mask, exact) < 0.95, "the refinement changes nothing here"
    assert iou(mask, np.asarray(pixels)) > 0.98


# ---------------------------------------------------------------- against ground truth

def true_masks(name, height, width):
    masks = []
    for line in (COCO128 / "polygons" / f"{name}.txt").read_text().splitlines():
        corners = np.array(line.split()[1:], float).reshape(-1, 2) * [width, height]
        drawn = Image.new("1", (width, height))
        ImageDraw.Draw(drawn).polygon([tuple(corner) for corner in corners], fill=1)
        masks.append(np.asarray(drawn))
    return [mask for mask in masks if mask.any()]


def box_of(mask):
    ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return xs[0], ys[0], xs[-1] + 1, ys[-1] + 1


def box_iou(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def test_edge_aware_gains_on_coco128(ground, real_server):
    """Best object whose box hits an instance; docs/masks.md holds the table."""
    if not (COCO128 / "polygons").is_dir():
        pytest.skip("NOT TESTED: coco128/polygons is not beside the checkout (../shared/data/coco128/polygons)")
    rows = []  # exact, edge-aware
    for path in sorted((COCO128 / "polygons").glob("*.txt")):
        encoded = (COCO128 / "images" / f"{path.stem}.jpg").read_bytes()
        answer = ground(real_server, encoded, outputs=[PIXEL_MASKS], max_objects=1)
        height, width = answer.image.height, answer.image.width
        truth = true_masks(path.stem, height, width)
        if not answer.objects or not truth:
            continue
        found = answer.objects[0]
        overlaps = [box_iou((found.box.x1, found.box.y1, found.box.x2, found.box.y2), box_of(m)) for m in truth]
        if max(overlaps) < 0.5:
            continue
        instance = truth[int(np.argmax(overlaps))]
        rows.append([iou(patches_at(from_rle(found.mask), height, width), instance),
                     iou(from_rle(found.pixel_mask), instance)])
    exact, refined = np.mean(rows, axis=0)
    print(f"n = {len(rows)}: exact {exact:.3f}, edge-aware {refined:.3f}")
    assert len(rows) > 40
    assert refined >= exact + 0.02, (exact, refined, len(rows))
