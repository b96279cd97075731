# SPDX-License-Identifier: Apache-2.0
"""Single calls against the fake server: what is sent, what is tried again, what the errors say; for both clients."""
import pickle
import threading
import time

import grpc
import numpy as np
import pytest

from client_support import connect  # noqa: F401
from objectdino import AsyncGroundingClient, GroundingClient, Tls, _status, errors
from objectdino._transport import RetryPolicy, is_loopback, push_back
from objectdino.testing import FakeServer, Failure, Hang, make_answer

PIXELS = np.zeros((48, 64, 3), dtype=np.uint8)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def server():
    with FakeServer() as running:
        yield running


@pytest.fixture
def client(server, connect):  # noqa: F811
    return connect(server.target)


# ---- what is sent -----------------------------------------------------------------------------------------------------

def test_options_are_those_of_the_proto(server, client):
    client.ground(PIXELS, request_id="seven", orientation="ignore", outputs={"objects", "pixel_masks"}, max_objects=3,
                  method="object_dino_cut", components=["value", "key"], embedding_dtype="bf16", proposals=True,
                  min_score=0.25)
    sent, = server.requests
    options = sent.options
    assert sent.request_id == "seven"
    assert (list(options.outputs), list(options.components)) == ([1, 3], [2, 3])
    assert (options.max_objects, options.method, options.embedding_dtype, options.proposals) == (3, 2, 3, True)
    assert options.min_score == 0.25 and not options.HasField("seed")


def test_no_option_is_the_servers_default(server, client):
    client.ground(PIXELS)
    assert server.requests[0].options.ByteSize() == 0


@pytest.mark.parametrize("options, field, text", [
    ({"method": "magic"}, "options.method", "object_dino_cut"),
    ({"outputs": ["objects", "masks"]}, "options.outputs", "pixel_masks"),
    ({"max_objects": "many"}, "options.max_objects", "many"),
    ({"max_objects": -1}, "options.max_objects", "-1"),
    ({"outputs": "unspecified"}, "options.outputs", "objects"),
])
def test_option_of_the_wrong_kind_names_its_field_before_anything_is_sent(server, client, options, field, text):
    with pytest.raises(errors.InvalidArgument, match=text) as caught:
        client.ground(PIXELS, **options)
    assert [error.field for error in caught.value.fields] == [field]
    assert isinstance(caught.value, ValueError) and not server.requests


def test_option_that_does_not_exist_is_a_type_error(client):
    with pytest.raises(TypeError, match="max_object'.*max_objects"):
        client.ground(PIXELS, max_object=3)


def test_trace_context_is_sent(server, client, connect):  # noqa: F811
    client.ground(PIXELS)
    client.ground(PIXELS, traceparent=TRACE)
    connect(server.target, traceparent=lambda: TRACE).verify(PIXELS, [(1, 2)])
    assert [metadata.get("traceparent") for metadata in server.metadata] == [None, TRACE, TRACE]
    with pytest.raises(ValueError, match="traceparent"):
        client.ground(PIXELS, traceparent="00-short")


def test_token_is_sent_and_its_file_read_again(server, connect, tmp_path):  # noqa: F811
    file = tmp_path / "token"
    file.write_text("first\n")
    client = connect(server.target, token_file=file)
    client.ground(PIXELS)
    (tmp_path / "new").write_text("second\n")
    (tmp_path / "new").rename(file)
    client.ground(PIXELS)
    connect(server.target, token="fixed").ground(PIXELS)
    assert [metadata["authorization"] for metadata in server.metadata] == [
        "Bearer first", "Bearer second", "Bearer fixed"]


def test_token_is_in_no_repr():
    with GroundingClient("localhost:1", token="very-secret") as client:
        assert "localhost:1" in repr(client._connection) and "very-secret" not in repr(client._connection)


@pytest.mark.parametrize("options, text", [
    ({"token": "secret"}, "plain text"), ({"token": "two words", "tls": True}, "no token"),
    ({"token": "", "tls": True}, "no token"), ({"token": "a", "token_file": "b", "tls": True}, "exclude"),
    ({"timeout": float("inf")}, "timeout"), ({"timeout": 0}, "timeout"), ({"timeout": float("nan")}, "timeout"),
    ({"max_attempts": 0}, "max_attempts"), ({"tls": Tls(cert="cert.pem")}, "come together"),
])
def test_arguments_that_make_no_sense_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        GroundingClient("grounding.example:50051", **options)


def test_secrets_from_files_that_hold_none_are_refused(tmp_path):
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ValueError, match="empty: holds no token"):
        GroundingClient("localhost:1", token_file=tmp_path / "empty")
    with pytest.raises(ValueError, match="empty: holds no PEM"):
        GroundingClient("localhost:1", tls=Tls(ca=tmp_path / "empty"))
    with pytest.raises(FileNotFoundError):
        GroundingClient("localhost:1", token_file=tmp_path / "none")


@pytest.mark.parametrize("target, expected", [
    ("localhost:50051", True), ("127.0.0.1:1", True), ("127.9.9.9:1", True), ("[::1]:1", True), ("unix:/run/x", True),
    ("dns:///localhost:1", True), ("ipv4:127.0.0.1:1", True), ("ipv4:127.0.0.1:1,10.0.0.1:1", False),
    ("10.0.0.1:1", False), ("localhost.example:1", False), ("127.0.0.1.example:1", False), ("[::2]:1", False)])
def test_loopback_is_what_is_certain(target, expected):
    assert is_loopback(target) is expected


# ---- errors -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("failure, kind, retried", [
    (Failure("INVALID_ARGUMENT", "no image", field="image.encoded"), errors.InvalidImage, False),
    (Failure("INVALID_ARGUMENT", "too wide", field="image.raw", reason="IMAGE_TOO_LARGE"), errors.InvalidImage, False),
    (Failure("INVALID_ARGUMENT", "k", field="options.clusters"), errors.InvalidArgument, False),
    (Failure("RESOURCE_EXHAUSTED", "answer", reason="RESPONSE_TOO_LARGE"), errors.TooLarge, False),
    (Failure("RESOURCE_EXHAUSTED", "Received message larger than max (9 vs. 8)"), errors.TooLarge, False),
    (Failure("RESOURCE_EXHAUSTED", "out of memory"), errors.Overloaded, False),
    (Failure("RESOURCE_EXHAUSTED", "queue full", retry_after=0.001), errors.Overloaded, True),
    (Failure("DEADLINE_EXCEEDED"), errors.Timeout, False),
    (Failure("CANCELLED"), errors.Cancelled, False),
    (Failure("UNAVAILABLE", "draining"), errors.Unavailable, True),
    (Failure("UNAUTHENTICATED", "no token"), errors.Unauthenticated, False),
    (Failure("UNIMPLEMENTED"), errors.Unimplemented, False),
    (Failure("INTERNAL", "internal error, incident 7"), errors.Internal, False),
    (Failure("DATA_LOSS"), errors.GroundingError, False),
])
def test_each_status_is_its_exception_and_only_two_are_tried_again(server, connect, failure, kind, retried):  # noqa: F811
    server.script(*[failure] * 9)
    with pytest.raises(errors.GroundingError) as caught:
        connect(server.target, max_attempts=3).ground(PIXELS, request_id="r1")
    error = caught.value
    assert type(error) is kind
    assert len(server.requests) == (3 if retried else 1)
    assert (error.code, error.message, error.reason) == (failure.code, failure.message, failure.reason)
    assert [field for field, _ in error.fields] == ([failure.field] if failure.field else [])
    assert error.retry_after == failure.retry_after
    assert error.request_id == "r1" and failure.message in str(error) and failure.code in str(error)
    assert failure.field is None or failure.field in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind and copy.__dict__ == error.__dict__ and str(copy) == str(error)


def test_errors_are_also_of_the_builtin_kinds():
    assert issubclass(errors.Timeout, TimeoutError) and issubclass(errors.Unavailable, ConnectionError)
    assert issubclass(errors.InvalidImage, errors.InvalidArgument) and issubclass(errors.InvalidArgument, ValueError)


def test_details_that_are_no_status_are_ignored():
    assert _status.parse(b"\xff\xff\xff") == _status.Details()
    assert _status.parse(b"") == _status.Details()
    everything = _status.Details((("a.b", "c"), ("d", "e")), "WHY", 1.25)
    assert _status.parse(_status.serialize(3, "m", everything)) == everything


def test_no_server_is_unavailable(connect, free_port):  # noqa: F811
    client = connect(f"127.0.0.1:{free_port}", max_attempts=2)
    with pytest.raises(errors.Unavailable):
        client.ground(PIXELS)
    assert client.ready() is False


@pytest.fixture
def free_port():
    import socket
    with socket.socket() as bound:  # bound, and not listening
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_server_that_comes_late_is_found(connect, server):  # noqa: F811
    server.script(Failure("UNAVAILABLE"), Failure("UNAVAILABLE"), Failure("UNAVAILABLE"), make_answer((48, 64)))
    assert connect(server.target).ground(PIXELS).image_size == (48, 64)
    assert len(server.requests) == 4


# ---- time -------------------------------------------------------------------------------------------------------------

def test_push_back_is_waited_for(server, client):
    server.script(Failure("RESOURCE_EXHAUSTED", retry_after=0.3))
    begin = time.monotonic()
    client.ground(PIXELS)
    assert time.monotonic() - begin >= 0.3
    assert len(server.requests) == 2


def test_push_back_beyond_the_deadline_is_for_the_caller(server, client):
    server.script(Failure("RESOURCE_EXHAUSTED", retry_after=3600.0))
    with pytest.raises(errors.Overloaded) as caught:
        client.ground(PIXELS)
    assert caught.value.retry_after == 3600.0 and len(server.requests) == 1


@pytest.mark.parametrize("attempt, code, pushed, remaining, expected", [
    (1, "UNAVAILABLE", None, 10, (0.08, 0.12)), (2, "UNAVAILABLE", None, 10, (0.16, 0.24)),
    (9, "UNAVAILABLE", None, 10, (0.8, 1.2)), (1, "UNAVAILABLE", None, 0.05, None),
    (10, "UNAVAILABLE", None, 10, None), (1, "UNAVAILABLE", -1.0, 10, None), (1, "UNAVAILABLE", 2.0, 10, (2, 2)),
    (1, "RESOURCE_EXHAUSTED", None, 10, None), (1, "RESOURCE_EXHAUSTED", 2.0, 10, (2, 2)),
    (1, "RESOURCE_EXHAUSTED", 2.0, 2.0, None), (1, "RESOURCE_EXHAUSTED", 0.0, 1, (0, 0)),
    (1, "DEADLINE_EXCEEDED", None, 10, None), (1, "INTERNAL", 1.0, 10, None)])
def test_retry_policy(attempt, code, pushed, remaining, expected):
    pause = RetryPolicy(max_attempts=10).pause(attempt, code, pushed, remaining)
    assert pause is None if expected is None else expected[0] <= pause <= expected[1]


@pytest.mark.parametrize("value, expected", [
    ("250", 0.25), (b"250", 0.25), ("0", 0.0), ("-1", -1.0), ("soon", -1.0), ("1e3", -1.0), ("", -1.0)])
def test_push_back_that_is_no_number_means_do_not_come_back(value, expected):
    assert push_back([("other", "1"), ("grpc-retry-pushback-ms", value)]) == expected
    assert push_back([("other", "1")]) is None and push_back(None) is None


def test_deadline_is_finite_and_gives_the_call_up(server, client):
    server.script(Hang())
    with pytest.raises(errors.Timeout):
        client.ground(PIXELS, timeout=0.3)
    assert server.wait_for_given_up(1)


def test_deadline_holds_for_all_attempts_together(server, client):
    server.script(*[Failure("RESOURCE_EXHAUSTED", retry_after=0.2)] * 3, Hang())
    begin = time.monotonic()
    with pytest.raises((errors.Timeout, errors.Overloaded)):
        client.ground(PIXELS, timeout=0.7)
    assert 0.4 <= time.monotonic() - begin < 20
    assert len(server.requests) >= 2


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan"), 1e9])
def test_timeout_of_a_call_is_checked(client, timeout):
    with pytest.raises(ValueError, match="timeout"):
        client.ground(PIXELS, timeout=timeout)


def test_closing_the_client_ends_its_calls(server):
    server.script(Hang())
    client = GroundingClient(server.target, timeout=60)
    failed = []

    def call():
        try:
            client.ground(PIXELS)
        except errors.GroundingError as error:
            failed.append(error)
    thread = threading.Thread(target=call)
    thread.start()
    assert server.wait_for_requests(1)
    client.close()
    thread.join(30)
    assert [type(error) for error in failed] == [errors.Cancelled]
    assert server.wait_for_given_up(1)


def test_cancelled_task_gives_its_call_up(server):
    import asyncio

    async def run():
        async with AsyncGroundingClient(server.target, timeout=60) as client:
            task = asyncio.ensure_future(client.ground(PIXELS))
            assert await asyncio.to_thread(server.wait_for_requests, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(server.wait_for_given_up, 1)

    server.script(Hang())
    asyncio.run(run())


# ---- answers ----------------------------------------------------------------------------------------------------------

def test_answer_of_many_megabytes_arrives_and_the_limit_is_named(server, connect):  # noqa: F811
    grid = (1024, 1024)
    answer = make_answer((480, 640), [], grid=grid, outputs=["objectness", "patch_embeddings"])
    assert answer.ByteSize() > 16 << 20
    server.script(answer, answer)
    grounding = connect(server.target).ground(PIXELS)
    assert grounding.patches.values.shape == (1024 * 1024, 8) and grounding.objectness.shape == grid
    with pytest.raises(errors.TooLarge, match="larger than max"):
        connect(server.target, max_answer_bytes=1 << 20).ground(PIXELS)


def test_ready_follows_the_health_check(server, client):
    assert client.ready() is True
    server.is_ready = False
    assert client.ready() is False


def test_model_info_is_typed(client):
    info = client.model_info()
    assert (info.name, info.layers, info.methods, info.random_weights) == ("fake", 2, ("object_dino",), True)
    assert "fake" in repr(info)


def test_client_works_within_with(server):
    with GroundingClient(server.target) as client:
        assert client.target == server.target
        assert client.ground(PIXELS).objects
    with pytest.raises(ValueError):
        client.ground(PIXELS)


def test_calls_of_many_threads_share_a_client(server):
    with GroundingClient(server.target, timeout=60) as client:
        found = {}

        def call(size):
            found[size] = client.ground(np.zeros((size, 64, 3), dtype=np.uint8)).image_size
        threads = [threading.Thread(target=call, args=(size,)) for size in range(20, 36)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {size: (size, 64) for size in range(20, 36)}


def test_proxy_of_the_environment_is_not_asked_for_the_own_machine(server, monkeypatch, free_port):
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port}")
    with GroundingClient(server.target) as client:
        assert client.ready()
    # And that the proxy would have been asked otherwise:
    with grpc.insecure_channel(server.target) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=1)
