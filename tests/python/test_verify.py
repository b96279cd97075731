# SPDX-License-Identifier: Apache-2.0
"""VerifyRegions as a Python user sees it: scores from one place, NumPy's arithmetic on Ground's answer from another."""
import io
import json

import grpc
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from conftest import ROOT

ASTRONAUT = ROOT / "examples" / "astronaut.jpg"
TURNED = ROOT / "tests/golden/exif/orientation_6.jpg"


@pytest.fixture(scope="module")
def verify(stubs):
    """verify(server, bytes, regions, **options) -> response"""
    pb, rpc = stubs

    def call(running, encoded, regions, **options):
        request = pb.VerifyRegionsRequest(image=pb.Image(encoded=encoded), regions=regions,
                                          options=pb.GroundOptions(**options), request_id="v")
        with grpc.insecure_channel(running.grpc) as channel:
            return rpc.GroundingServiceStub(channel).VerifyRegions(request, timeout=60)
    return call


def tensor(message):
    dtype = {1: "<f4", 2: "<f2"}[message.dtype]
    return np.frombuffer(message.data, dtype).astype(np.float64).reshape(message.shape)


def bounds(box):
    return box.x1, box.y1, box.x2, box.y2


def shares(weights, grid):
    """[rows, cols]: the mean of a [height, width] picture over each patch, pixels cut at the patches' borders."""
    def axis(pixels, cells):
        edges = np.arange(pixels + 1) * cells / pixels
        low, high = edges[:-1, None], edges[1:, None]
        cell = np.arange(cells)
        return np.clip(np.minimum(high, cell + 1) - np.maximum(low, cell), 0, None)
    height, width = weights.shape
    return axis(height, grid.rows).T @ weights @ axis(width, grid.cols)


def box_picture(box, height, width):
    """[height, width]: what the box covers of each pixel."""
    x1, y1, x2, y2 = box

    def axis(low, high, pixels):
        pixel = np.arange(pixels)
        return np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)
    return np.outer(axis(y1, y2, height), axis(x1, x2, width))


def check_score(score, response, picture):
    """What follows from the grounding; `picture` is the region, [height, width]."""
    grounding = response.grounding
    height, width = grounding.image.height, grounding.image.width
    objectness = tensor(grounding.objectness)
    inside = shares(picture, grounding.grid)
    x1, y1, x2, y2 = bounds(score.box)
    dx, dy = 0.3 * (x2 - x1), 0.3 * (y2 - y1)
    ring = box_picture((max(x1 - dx, 0), max(y1 - dy, 0), min(x2 + dx, width), min(y2 + dy, height)), height, width)
    around = np.clip(shares(ring, grounding.grid) - inside, 0, None)
    assert score.objectness_inside == pytest.approx((objectness * inside).sum() / inside.sum(), abs=2e-5)
    if around.sum() > 1e-6:
        assert score.objectness_around == pytest.approx((objectness * around).sum() / around.sum(), abs=2e-5)
    rule = score.objectness_inside - score.objectness_around + score.attention_inside - score.attention_outside
    assert score.score == pytest.approx(1 / (1 + np.exp(-(rule - 0.15) / 0.125)), abs=1e-5)

    masks = [coco_mask.decode({"size": [found.mask.height, found.mask.width], "counts": found.mask.coco_rle})
             for found in grounding.objects]
    covered = np.max(masks, axis=0)
    assert score.coverage == pytest.approx((covered * inside).sum() / inside.sum(), abs=2e-5)
    if score.HasField("best_object"):
        found = grounding.objects[score.best_object.index]
        pooled = (inside.reshape(-1, 1) * tensor(grounding.patches.embeddings)).sum(axis=0)
        embedding = tensor(found.embedding.values)
        cosine = pooled @ embedding / np.linalg.norm(pooled) / np.linalg.norm(embedding)
        assert score.best_object.similarity == pytest.approx(cosine, abs=2e-3)  # of half floats


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    overlap = max(w, 0) * max(h, 0)
    return overlap / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap)


def outputs(pb):
    return [pb.OUTPUT_OBJECTS, pb.OUTPUT_OBJECTNESS, pb.OUTPUT_PATCH_EMBEDDINGS]


def test_boxes_score_as_numpy_computes(server, verify, stubs):
    pb, _ = stubs
    boxes = [(10.5, 20.25, 200, 300), (0, 0, 512, 512), (-50, 100, 40, 900), (300, 300, 301, 301.5)]
    regions = [pb.Region(box=pb.Box(x1=x1, y1=y1, x2=x2, y2=y2)) for x1, y1, x2, y2 in boxes]
    response = verify(server, ASTRONAUT.read_bytes(), regions, outputs=outputs(pb))
    image = response.grounding.image
    assert len(response.scores) == len(boxes) and response.grounding.request_id == "v"
    for box, score in zip(boxes, response.scores):
        clipped = (max(box[0], 0), max(box[1], 0), min(box[2], image.width), min(box[3], image.height))
        assert bounds(score.box) == pytest.approx(clipped)
        check_score(score, response, box_picture(clipped, image.height, image.width))
        ious = [iou(clipped, bounds(found.box)) for found in response.grounding.objects]
        assert score.HasField("best_object") == (max(ious) > 0)
        if max(ious) > 0:
            assert (score.best_object.index, score.best_object.iou) == (np.argmax(ious), pytest.approx(max(ious), abs=1e-5))


def test_masks_of_pycocotools_score_as_numpy_computes(server, verify, stubs):
    pb, _ = stubs
    y, x = np.mgrid[:512, :512]
    ellipse = ((x - 250) / 130) ** 2 + ((y - 200) / 90) ** 2 < 1
    noise = np.random.default_rng(3).random((512, 512)) < 0.4
    pictures = [ellipse, noise, (x == 511) & (y == 511)]
    regions = [pb.Region(mask=pb.Mask(height=512, width=512, coco_rle=coco_mask.encode(
        np.asfortranarray(picture.astype(np.uint8)))["counts"])) for picture in pictures]
    response = verify(server, ASTRONAUT.read_bytes(), regions, outputs=outputs(pb))
    for picture, score in zip(pictures, response.scores):
        rows, cols = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
        assert bounds(score.box) == (cols[0], rows[0], cols[-1] + 1, rows[-1] + 1)
        check_score(score, response, picture.astype(np.float64))


def test_query_is_found_where_numpy_finds_it(server, verify, stubs):
    pb, _ = stubs
    query = np.random.default_rng(5).normal(size=64).astype("<f4")
    with grpc.insecure_channel(server.grpc) as channel:
        width = stubs[1].GroundingServiceStub(channel).GetModelInfo(pb.GetModelInfoRequest(), timeout=10).width
    query = np.resize(query, width)
    region = pb.Region(query=pb.Embedding(values=pb.Tensor(dtype=pb.DATA_TYPE_F32, shape=[width], data=query.tobytes())))
    response = verify(server, ASTRONAUT.read_bytes(), [region], outputs=outputs(pb), embedding_dtype=pb.DATA_TYPE_F32)
    score, = response.scores
    cosines = tensor(response.grounding.patches.embeddings) @ query / np.linalg.norm(query)
    assert score.query.patch_index == np.argmax(cosines)
    assert score.query.similarity == pytest.approx(cosines.max(), abs=1e-5)
    of_objects = [tensor(found.embedding.values) @ query / np.linalg.norm(query) for found in response.grounding.objects]
    assert score.best_object.index == np.argmax(of_objects)
    assert score.best_object.similarity == pytest.approx(max(of_objects), abs=1e-5)


def test_objects_found_are_recognised(real_server, verify, ground, stubs):
    """Ground's own boxes, anchors, masks and embeddings, given back as claims."""
    pb, _ = stubs
    encoded = ASTRONAUT.read_bytes()
    found = ground(real_server, encoded, outputs=[pb.OUTPUT_PIXEL_MASKS]).objects[0]
    regions = [pb.Region(box=found.box), pb.Region(point=found.anchor), pb.Region(mask=found.pixel_mask),
               pb.Region(query=found.embedding)]
    response = verify(real_server, encoded, regions)
    assert [score.best_object.index for score in response.scores] == [0] * 4
    box, point, mask, query = response.scores
    assert min(score.score for score in (box, point, mask)) > 0.5
    assert box.best_object.iou == pytest.approx(1, abs=1e-6)
    assert mask.best_object.iou > 0.6 and mask.coverage > 0.7
    assert point.coverage == 1
    assert query.best_object.similarity == pytest.approx(1, abs=1e-3)
    corner, = verify(real_server, encoded, [pb.Region(box=pb.Box(x1=0, y1=470, x2=40, y2=512))]).scores
    assert corner.score < 0.5 < box.score


def test_mask_has_the_size_of_the_upright_image(server, verify, stubs):
    pb, _ = stubs
    with Image.open(TURNED) as image:
        width, height = image.size  # as stored
    assert height != width

    def region(rows, cols):
        mask = np.zeros((rows, cols), np.uint8)
        mask[0] = 1  # the top row
        return pb.Region(mask=pb.Mask(height=rows, width=cols, coco_rle=coco_mask.encode(np.asfortranarray(mask))["counts"]))
    score, = verify(server, TURNED.read_bytes(), [region(width, height)]).scores
    assert bounds(score.box) == (0, 0, height, 1)
    with pytest.raises(grpc.RpcError) as caught:
        verify(server, TURNED.read_bytes(), [region(height, width)])
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert f"{width} x {height}" in caught.value.details()


def test_bomb_of_a_mask_is_refused_without_the_memory(start_server, verify, stubs):
    """A mask of 49 million pixels in a few bytes, 256 times: 12 GB as pixels."""
    pb, _ = stubs
    running = start_server()
    buffer = io.BytesIO()
    Image.new("L", (7000, 7000)).save(buffer, "PNG")
    # One run of zeros, and one of ones, as pycocotools writes them.
    half = coco_mask.encode(np.asfortranarray((np.arange(49_000_000) >= 20_000_001).astype(np.uint8).reshape(7000, 7000, order="F")))
    regions = [pb.Region(mask=pb.Mask(height=7000, width=7000, coco_rle=half["counts"]))] * 256
    response = verify(running, buffer.getvalue(), regions)
    assert len(response.scores) == 256
    assert running.peak_memory_mib() < 1500


def test_verify_command_agrees_with_the_answer(cli, server, verify, stubs):
    pb, _ = stubs
    done = cli("verify", ASTRONAUT, "--server", server.grpc, "--box", "100,50,300,400", "--point", "20,30", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    response = verify(server, ASTRONAUT.read_bytes(), [pb.Region(box=pb.Box(x1=100, y1=50, x2=300, y2=400)),
                                                       pb.Region(point=pb.Point(x=20, y=30))])
    assert [score["score"] for score in document["scores"]] == pytest.approx([s.score for s in response.scores], abs=1e-6)
    refused = cli("verify", ASTRONAUT, "--server", server.grpc, "--box", "600,50,700,400")
    assert refused.returncode == 1
    assert "regions[0].box must lie in the image" in refused.stderr


def test_requests_are_counted_under_their_name(start_server, verify, stubs):
    pb, _ = stubs
    running = start_server()
    verify(running, ASTRONAUT.read_bytes(), [pb.Region(point=pb.Point(x=1, y=1))])
    with pytest.raises(grpc.RpcError):
        verify(running, ASTRONAUT.read_bytes(), [])
    counted = running.scrape()
    assert counted['objectdino_requests_total{code="OK",method="VerifyRegions"}'] == 1
    assert counted['objectdino_requests_total{code="INVALID_ARGUMENT",method="VerifyRegions"}'] == 1
