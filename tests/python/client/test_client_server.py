# SPDX-License-Identifier: Apache-2.0
"""Both clients against the real server: its statuses, its secrets, its answers."""
import io
import json
import threading

import numpy as np
import PIL.Image
import pytest

from certificates import Authority
from client_support import connect  # noqa: F401
from conftest import ROOT
from objectdino import GroundingClient, Region, Tls, annotate, errors, find_boxes, regions_from_boxes
from objectdino._proto import grounding_service_pb2 as pb

ASTRONAUT = ROOT / "examples" / "astronaut.jpg"
COFFEE = ROOT / "examples" / "coffee.png"
DATA = ROOT / "tests" / "data"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
# Computes for a second or so, whatever the model.
SLOW = {"method": "object_dino_paper", "input_size": 560}


def essence(grounding):
    """The answer without the times it took."""
    copy = pb.GroundResponse()
    copy.CopyFrom(grounding.raw)
    copy.ClearField("timing")
    copy.image.ClearField("format")
    return copy


# ---- answers ----------------------------------------------------------------------------------------------------------

def test_answer_equals_that_of_the_command_line(server, connect, cli):  # noqa: F811
    grounding = connect(server.grpc).ground(ASTRONAUT)
    entry, = json.loads(cli("ground", ASTRONAUT, "--json", "--server", server.grpc).stdout)
    assert len(grounding.objects) == len(entry["objects"]) > 0
    for ours, theirs in zip(grounding.objects, entry["objects"]):
        assert ours.score == pytest.approx(theirs["score"], abs=1e-4)
        assert ours.box == pytest.approx(tuple(theirs["box"].values()), abs=0.01)


def test_every_kind_of_input_gives_the_same_answer(server, connect):  # noqa: F811
    """A PNG holds what its pixels are, so that its decoder cannot make a difference."""
    client = connect(server.grpc)
    picture = PIL.Image.open(COFFEE).convert("RGB")
    pixels = np.asarray(picture)
    inputs = [str(COFFEE), COFFEE, COFFEE.read_bytes(), picture, pixels]
    try:
        import torch
        inputs.append(torch.from_numpy(pixels.copy()).permute(2, 0, 1))
    except ImportError:
        pass
    answers = [essence(client.ground(image, outputs=["objects", "objectness", "pixel_masks"])) for image in inputs]
    assert len(answers[0].objects) > 0
    for answer in answers[1:]:
        assert answer == answers[0]


def test_both_clients_and_all_ways_give_the_same_answers(server):
    from client_support import Blocking
    images = [ASTRONAUT, COFFEE, DATA / "gray.png"]
    threads, tasks = GroundingClient(server.grpc, timeout=60), Blocking(server.grpc, timeout=60)
    try:
        expected = [essence(threads.ground(image)) for image in images]
        for client in (threads, tasks):
            assert [essence(client.ground(image)) for image in images] == expected
            assert [essence(result) for result in client.ground_many(images)] == expected
            streamed = {answer.index: answer.result for answer in client.stream(images)}
            for index, answer in enumerate(expected):
                got = essence(streamed[index])
                assert got.request_id == str(index)
                got.request_id = ""
                assert got == answer
    finally:
        threads.close()
        tasks.close()


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientation_is_undone_alike_by_client_and_server(server, orientation):
    """Pixels of a picture that were undone here, and a file whose orientation the server undoes."""
    pixels = np.asarray(PIL.Image.open(COFFEE).convert("RGB").resize((120, 90)))
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG", exif=exif)
    with GroundingClient(server.grpc, timeout=60) as client:
        by_server = client.ground(buffer.getvalue())
        by_client = client.ground(PIL.Image.open(io.BytesIO(buffer.getvalue())))
        assert by_server.orientation == by_client.orientation == orientation
        assert by_server.image_size == by_client.image_size == ((90, 120) if orientation < 5 else (120, 90))
        assert np.array_equal(by_server.objectness, by_client.objectness)
        pictures = [np.asarray(g.highlight(image)) for g in (by_server, by_client)
                    for image in (None, buffer.getvalue(), PIL.Image.open(io.BytesIO(buffer.getvalue())))]
        assert all(np.array_equal(picture, pictures[0]) for picture in pictures)
        assert pictures[0].shape[:2] == by_server.image_size
        ignored = client.ground(buffer.getvalue(), orientation="ignore")
        assert ignored.image_size == (90, 120) and ignored.orientation == 1
        assert ignored.highlight().size == (120, 90)


@pytest.mark.parametrize("name", ["gray16.png", "png16.png", "rgba.png", "palette_alpha.png", "gray.png", "palette.png"])
def test_pixels_of_odd_files_are_those_of_the_server(server, name):
    """Sent as a file, and as Pillow opens it."""
    with GroundingClient(server.grpc, timeout=60) as client:
        as_file, as_pixels = client.ground(DATA / name), client.ground(PIL.Image.open(DATA / name))
        assert as_file.image_size == as_pixels.image_size
        assert np.array_equal(as_file.objectness, as_pixels.objectness)
        assert as_file.highlight().size == as_file.image_size[::-1]


def test_masks_and_embeddings_of_an_answer_fit_together(server, connect):  # noqa: F811
    grounding = connect(server.grpc).ground(
        ASTRONAUT, outputs={"objects", "objectness", "pixel_masks", "patch_embeddings", "heads"}, embedding_dtype="bf16")
    rows, cols = grounding.grid.rows, grounding.grid.cols
    width = grounding.objects[0].embedding.size
    assert grounding.patches.values.shape == (rows * cols, width) and grounding.objectness.shape == (rows, cols)
    assert np.linalg.norm(grounding.patches.values, axis=1) == pytest.approx(1, abs=0.02)
    assert grounding.heads and grounding.method == "object_dino"
    for found in grounding.objects:
        assert found.mask.shape == grounding.image_size and found.mask.any()
        assert np.array_equal(np.flatnonzero(found.patch_mask), found.patch_indices)
        x, y = found.anchor
        assert found.patch_mask[int(y / grounding.image_size[0] * rows), int(x / grounding.image_size[1] * cols)]
        pooled = grounding.patches.values[found.patch_indices].mean(axis=0)
        assert found.embedding @ pooled / np.linalg.norm(pooled) == pytest.approx(1, abs=1e-3)


def test_png_masks_equal_rle_masks(server, connect):  # noqa: F811
    client = connect(server.grpc)
    by_rle, by_png = (client.ground(ASTRONAUT, outputs=["pixel_masks"], mask_format=kind) for kind in ("coco_rle", "png"))
    assert len(by_rle.objects) == len(by_png.objects) > 0
    for rle, png in zip(by_rle.objects, by_png.objects):
        assert np.array_equal(rle.mask, png.mask) and rle.rle == png.rle


def test_real_model_finds_the_cup(real_server, connect):  # noqa: F811
    grounding = connect(real_server.grpc, timeout=60).ground(COFFEE, outputs=["objects", "objectness", "pixel_masks"])
    best = grounding.objects[0]
    assert best.score > 0.5 and not grounding.warnings
    x, y = best.anchor
    assert best.mask[int(y), int(x)]
    assert grounding.objectness[best.patch_mask].mean() > 0.5 > grounding.objectness[~best.patch_mask].mean()
    assert grounding.token_grid(24, 24, fit="pad").max() > 0.5
    assert grounding.highlight(style="jet").size == grounding.image_size[::-1]


def test_answer_larger_than_grpcs_default_arrives(real_server):
    with GroundingClient(real_server.grpc, timeout=120) as client:
        grounding = client.ground(COFFEE, outputs=["patch_embeddings"], embedding_dtype="f32", input_size=756)
    assert grounding.raw.ByteSize() > 4 << 20
    assert grounding.patches.values.shape == (54 * 54, 384) and len(grounding.patches.patch_indices) == 54 * 54


def test_model_info_and_ready(server, connect):  # noqa: F811
    client = connect(server.grpc)
    info = client.model_info()
    assert (info.name, info.layers, info.patch_size) == ("tiny", 4, 14) and "object_dino" in info.methods
    assert client.ready() is True


# ---- verify -----------------------------------------------------------------------------------------------------------

def test_verify_tells_an_object_from_a_place_beside_it(real_server, connect):  # noqa: F811
    client = connect(real_server.grpc, timeout=60)
    best = client.ground(COFFEE).objects[0]
    height, width = client.ground(COFFEE).image_size
    corner = (0.0, 0.0, 0.15 * width, 0.15 * height)
    claims = [best, corner, best.anchor, best.mask, Region.query(best.embedding, label="the same again")]
    scores = client.verify(COFFEE, claims)
    assert len(scores) == 5 and len(list(scores)) == 5
    by_box, by_corner, by_point, by_mask, by_query = scores
    assert by_box.score > 0.5 > by_corner.score and by_mask.score > 0.5 and by_point.score > by_corner.score
    assert by_box.best_object.iou == pytest.approx(1, abs=1e-5) and by_box.best_object.index == 0
    assert by_box.best_object.similarity > 0.5 and by_box.coverage > by_corner.coverage
    assert by_box.box == pytest.approx(best.box, abs=0.01)
    assert by_box.objectness_inside > by_box.objectness_around and by_box.attention_inside > by_box.attention_outside
    assert by_query.query.patch_index in best.patch_indices and by_query.query.similarity > 0.5
    assert by_query.label == "the same again" and by_box.query is None
    assert scores.grounding.objects[0].box == best.box


def test_boxes_of_an_answer_are_scored_in_its_text(real_server, connect):  # noqa: F811
    client = connect(real_server.grpc, timeout=60)
    best = client.ground(COFFEE).objects[0]
    claimed = ", ".join(f"{value * 1000:.0f}" for value in best.box_norm)
    answer = f"A cup [{claimed}] and a fork [10, 10, 120, 150]."
    found = find_boxes(answer)
    scores = client.verify(COFFEE, regions_from_boxes(found, client.ground(COFFEE).image_size, scale="thousand"))
    assert annotate(answer, found, scores) == (
        f"A cup [{claimed}] (objectness {scores[0].score:.2f}) and a fork [10, 10, 120, 150] "
        f"(objectness {scores[1].score:.2f}).")
    assert scores[0].score > scores[1].score


def test_verify_names_the_region_that_is_wrong(server, connect):  # noqa: F811
    with pytest.raises(errors.InvalidArgument) as caught:
        connect(server.grpc).verify(COFFEE, [(0, 0, 10, 10), (50, 50, 40, 60)])
    assert caught.value.fields[0].field.startswith("regions[1]")
    assert not isinstance(caught.value, errors.InvalidImage)


# ---- statuses ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, reason", [("text.jpg", None), ("truncated.jpg", None), ("animated.gif", None),
                                          ("bomb_20000x20000_1bit.png", "IMAGE_TOO_LARGE")])
def test_bad_file_is_an_invalid_image_with_its_field(server, connect, name, reason):  # noqa: F811
    with pytest.raises(errors.InvalidImage) as caught:
        connect(server.grpc).ground(DATA / name)
    assert caught.value.fields[0].field == "image.encoded" and caught.value.reason == reason
    assert caught.value.message


def test_bad_option_is_an_invalid_argument_with_its_field(server, connect):  # noqa: F811
    with pytest.raises(errors.InvalidArgument) as caught:
        connect(server.grpc).ground(ASTRONAUT, clusters=1)
    assert caught.value.fields[0].field == "options.clusters"
    assert not isinstance(caught.value, errors.InvalidImage)


def test_one_bad_image_of_many_is_one_error(server, connect):  # noqa: F811
    client = connect(server.grpc)
    images = [ASTRONAUT, DATA / "text.jpg", COFFEE]
    results = list(client.ground_many(images))
    streamed = {answer.index: answer.result for answer in client.stream(images)}
    for result, by_stream in zip(results, (streamed[index] for index in range(3))):
        assert type(result) is type(by_stream)
    assert isinstance(results[1], errors.InvalidImage) and results[0].objects and results[2].image_size
    assert streamed[1].fields == results[1].fields


def test_message_and_answer_over_the_limits_are_too_large(start_server):
    running = start_server("--max-message-mb", "1", "--max-response-mb", "1")
    with GroundingClient(running.grpc, timeout=120) as client:
        with pytest.raises(errors.TooLarge):
            client.ground(np.zeros((700, 700, 3), dtype=np.uint8))
        with pytest.raises(errors.TooLarge) as caught:
            client.ground(ASTRONAUT, outputs=["patch_embeddings", "heads"], embedding_dtype="f32", input_size=798)
    assert caught.value.reason == "RESPONSE_TOO_LARGE"


def test_deadline_that_passes_is_a_timeout_or_refused_in_time(start_server, connect):  # noqa: F811
    """A server that has no estimate yet tries; one that has refuses at once, and says when to come back."""
    running = start_server("--lanes", "1")
    client = connect(running.grpc)
    seen = set()
    for _ in range(4):
        with pytest.raises((errors.Timeout, errors.Overloaded)) as caught:
            client.ground(ASTRONAUT, timeout=0.1, **SLOW)
        seen.add(type(caught.value))
        if isinstance(caught.value, errors.Overloaded):
            assert caught.value.retry_after is not None and caught.value.retry_after > 0
    assert seen


def test_overload_is_waited_out_within_the_deadline(start_server, connect):  # noqa: F811
    """A queue of one, and eight callers: most are told to come back, and all are served."""
    running = start_server("--lanes", "1", "--max-queue", "1")
    results = list(connect(running.grpc, timeout=120, max_attempts=200).ground_many([COFFEE] * 24, concurrency=8))
    assert [type(result).__name__ for result in results] == ["Grounding"] * 24
    refused = sum(value for name, value in running.scrape().items() if name.startswith("objectdino_rejected_total"))
    assert refused > 0


def test_server_that_has_gone_is_unavailable(start_server, connect):  # noqa: F811
    running = start_server()
    client = connect(running.grpc, max_attempts=2)
    assert client.ready() and client.ground(COFFEE).image_size
    assert running.stop() == 0
    with pytest.raises(errors.Unavailable):
        client.ground(COFFEE)
    assert client.ready() is False


def test_call_that_is_given_up_is_given_up_by_the_server_too(start_server):
    running = start_server("--lanes", "1")
    client = GroundingClient(running.grpc, timeout=60)
    results = client.ground_many([COFFEE] * 8, concurrency=4, **SLOW)
    next(results)
    results.close()
    client.close()

    def cancelled():
        return running.scrape().get('objectdino_requests_total{code="CANCELLED",method="Ground"}', 0)
    waiting = threading.Event()
    for _ in range(200):
        if cancelled():
            return
        waiting.wait(0.05)
    pytest.fail(f"the server counted no CANCELLED:\n{running.log()}")


def test_trace_context_is_in_the_servers_log(start_server, connect):  # noqa: F811
    running = start_server()
    connect(running.grpc).ground(COFFEE, traceparent=TRACE, request_id="traced")
    lines = [json.loads(line) for line in running.log().splitlines()]
    logged, = [line for line in lines if line.get("id") == "traced" and TRACE[3:35] in line.values()]
    assert logged


# ---- secrets ----------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"), "ours")


@pytest.fixture(scope="module")
def identity(authority):
    """The server's certificate and key."""
    return authority.issue("server")


def test_tls_and_mutual_tls(start_server, connect, authority, identity):  # noqa: F811
    ca, (cert, key), (client_cert, client_key) = authority.certificate, identity, authority.issue("client")
    running = start_server("--tls-cert", cert, "--tls-key", key, "--tls-client-ca", ca)
    assert connect(running.grpc, tls=Tls(ca=ca, cert=client_cert, key=client_key)).ground(COFFEE).image_size
    for tls in (None, True, Tls(ca=ca)):  # plain text; not our authority; no certificate of our own
        client = connect(running.grpc, tls=tls, max_attempts=1)
        with pytest.raises(errors.Unavailable):
            client.ground(COFFEE)


def test_token_over_tls(start_server, connect, authority, identity, tmp_path):  # noqa: F811
    cert, key = identity
    token = tmp_path / "token"
    token.write_text("the-token-of-this-test\n")
    token.chmod(0o600)
    running = start_server("--tls-cert", cert, "--tls-key", key, "--token-file", token)
    tls = Tls(ca=authority.certificate)
    client = connect(running.grpc, tls=tls, token_file=token)
    assert client.ground(COFFEE).image_size and client.model_info().name == "tiny"
    assert [answer.index for answer in client.stream([COFFEE])] == [0]
    for secret in ({}, {"token": "another"}):
        client = connect(running.grpc, tls=tls, **secret)
        assert client.ready()  # health needs no token
        for call in (lambda: client.ground(COFFEE), client.model_info, lambda: list(client.stream([COFFEE]))):  # noqa: B023
            with pytest.raises(errors.Unauthenticated):
                call()
