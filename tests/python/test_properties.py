# SPDX-License-Identifier: Apache-2.0
"""What must not change an answer, and when there is no answer: flips, brightness, padding; gray, noise, gradients."""
import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps
from pycocotools import mask as coco

from conftest import ROOT

DATA = ROOT.parent / "shared" / "data"
PER_SET = 24  # photographs of each set


def photographs():
    files = [sorted((DATA / name / "images").glob("*.jpg"))[:PER_SET] for name in ("raccoon", "coco128")]
    if not all(files):
        pytest.skip("NOT TESTED: raccoon and coco128 are not beside the checkout (../shared/data)")
    return [Image.open(path).convert("RGB") for path in sum(files, [])]


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, "png", compress_level=1)
    return buffer.getvalue()


def best(answer):
    """Box of the best object."""
    box = answer.objects[0].box
    return np.array([box.x1, box.y1, box.x2, box.y2])


def mask(found):
    return coco.decode({"size": [found.height, found.width], "counts": found.coco_rle}).astype(bool)


def mask_iou(a, b):
    return (a & b).sum() / (a | b).sum()


def box_iou(a, b):
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    inner = max(width, 0) * max(height, 0)
    return inner / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inner)


def test_flipped_images_give_flipped_masks(real_server, ground):
    ious = []
    for image in photographs():
        straight, flipped = ground(real_server, png(image)), ground(real_server, png(ImageOps.mirror(image)))
        ious.append(mask_iou(mask(straight.objects[0].mask), mask(flipped.objects[0].mask)[:, ::-1]))
    assert np.mean(ious) > 0.9, sorted(ious)


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_brightness_keeps_boxes(real_server, ground, factor):
    ious = []
    for image in photographs():
        changed = ground(real_server, png(ImageEnhance.Brightness(image).enhance(factor)))
        ious.append(box_iou(best(ground(real_server, png(image))), best(changed)))
    assert np.mean(ious) > 0.9 and np.median(ious) > 0.95, sorted(ious)


def test_padding_does_not_move_boxes(real_server, ground):
    """A border of the photograph's mean colour, a sixteenth of its size a side."""
    ious = []
    for image in photographs():
        mean = tuple(np.asarray(image).reshape(-1, 3).mean(0).astype(int).tolist())
        across, down = image.width // 16, image.height // 16
        padded = ground(real_server, png(ImageOps.expand(image, (across, down), mean)))
        ious.append(box_iou(best(ground(real_server, png(image))), best(padded) - [across, down, across, down]))
    assert np.median(ious) > 0.85, sorted(ious)


def empty_scenes():
    random = np.random.default_rng(7)
    rows, cols = np.mgrid[:480, :640] / [[[480]], [[640]]]
    gray = {f"gray {level}": np.full((480, 640), level) for level in (0, 90, 255)}
    noise = {"noise": random.integers(0, 256, (480, 640, 3)), "soft noise": 128 + 20 * random.standard_normal((480, 640))}
    gradients = {"across": 255 * cols, "down": 255 * rows, "diagonal": 127 * (rows + cols),
                 "coloured": np.stack([255 * cols, 255 * rows, 0 * rows + 128], -1)}
    return gray | noise | gradients


@pytest.mark.parametrize("name, pixels", empty_scenes().items())
@pytest.mark.parametrize("input_size", [224, 448])
def test_scenes_without_an_object_give_an_empty_list_and_a_warning(real_server, ground, stubs, name, pixels, input_size):
    pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    answer = ground(real_server, png(Image.fromarray(pixels).convert("RGB")), input_size=input_size)
    assert len(answer.objects) == 0, name
    assert stubs[0].Warning.CODE_NO_CLEAR_OBJECT in [warning.code for warning in answer.warnings]
    assert not np.frombuffer(answer.objectness.data, "<f4").any()
