# SPDX-License-Identifier: Apache-2.0
"""Many images at once: order, bounds, errors, giving up; for both clients and both ways, ground_many and stream."""
import asyncio
import collections
import inspect
import itertools
import threading

import grpc
import numpy as np
import pytest

from client_support import connect  # noqa: F401
from objectdino import AsyncGroundingClient, Grounding, GroundingClient, GroundingError, errors
from objectdino.testing import FakeServer, Failure, Hang, make_answer


def image(number):
    """An image that is told by its height."""
    return np.zeros((number + 1, 8, 3), dtype=np.uint8)


def numbers(results):
    return [result.image_size[0] - 1 if isinstance(result, Grounding) else result.code for result in results]


@pytest.fixture
def server():
    with FakeServer(workers=32) as running:
        yield running


@pytest.fixture
def client(server, connect):  # noqa: F811
    return connect(server.target)


def test_both_clients_have_the_same_methods():
    def public(kind):
        return {name: member for name, member in vars(kind).items() if not name.startswith("_") or name == "__init__"}

    threads, tasks = public(GroundingClient), public(AsyncGroundingClient)
    assert threads.keys() == tasks.keys() >= {
        "ground", "ground_many", "stream", "verify", "model_info", "ready", "close", "target", "__init__"}
    for name, member in threads.items():
        if callable(member):
            ours, theirs = inspect.signature(member), inspect.signature(tasks[name])
            assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
                (p.name, p.kind, p.default) for p in theirs.parameters.values()], name


def test_answers_come_in_the_order_of_the_images(server, client):
    """The first answer is held back until seven others have been given."""
    others = threading.Semaphore(0)

    def first(request):
        for _ in range(7):
            assert others.acquire(timeout=60)
        return make_answer((request.image.raw.height, 8))

    def other(request):
        others.release()
        return make_answer((request.image.raw.height, 8))

    def by_number(request):
        return first if request.image.raw.height == 1 else other

    server.script(*[by_number] * 20)
    assert numbers(client.ground_many(map(image, range(20)), concurrency=8)) == list(range(20))


def test_no_more_calls_are_open_than_allowed(server, client):
    lock, now, most = threading.Lock(), [0], [0]
    three = threading.Barrier(3, timeout=60)

    def count(request):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        three.wait()  # only three calls at once get here together
        with lock:
            now[0] -= 1
        return make_answer((request.image.raw.height, 8))

    server.script(*[count] * 30)
    assert numbers(client.ground_many(map(image, range(30)), concurrency=3)) == list(range(30))
    assert most[0] == 3


def test_images_are_read_little_by_little(server, client):
    read = itertools.count()

    def endless():
        for number in read:
            yield image(number % 5)

    results = client.ground_many(endless(), concurrency=4)
    assert numbers(itertools.islice(results, 10)) == [0, 1, 2, 3, 4] * 2
    results.close()
    assert next(read) <= 10 + 2 * 4 + 1


def test_an_image_that_fails_is_an_item(server, client, tmp_path):
    server.script(make_answer((1, 8)), Failure("INVALID_ARGUMENT", "no", field="image.raw"), make_answer((3, 8)))
    results = list(client.ground_many([image(0), image(1), image(2)], concurrency=1))
    assert numbers(results) == [0, "INVALID_ARGUMENT", 2]
    results = list(client.ground_many([tmp_path / "none.jpg", image(1), "https://example.com/a.jpg",
                                       np.zeros((4, 4), dtype=np.uint8)]))
    assert numbers(results) == ["INVALID_ARGUMENT", 1, "INVALID_ARGUMENT", "INVALID_ARGUMENT"]
    assert all(isinstance(results[i], errors.InvalidImage) for i in (0, 2, 3))
    assert "none.jpg" in str(results[0]) and "No such file" in str(results[0]) and "URL" in str(results[2])


def test_each_image_is_tried_again(server, client):
    server.script(Failure("UNAVAILABLE"), Failure("RESOURCE_EXHAUSTED", retry_after=0.01))
    assert numbers(client.ground_many(map(image, range(6)), concurrency=2)) == list(range(6))
    assert len(server.requests) == 8


def test_each_image_has_its_own_deadline(server, client):
    server.script(Hang())
    assert numbers(client.ground_many(map(image, range(4)), concurrency=1, timeout=1)) == ["DEADLINE_EXCEEDED", 1, 2, 3]


@pytest.mark.parametrize("way", ["ground_many", "stream"])
def test_exception_of_the_callers_iterable_comes_out_and_cancels_the_rest(server, client, way):
    def images():
        yield image(0)
        assert server.wait_for_requests(1)
        raise RuntimeError("the disk is gone")

    server.script(Hang())
    with pytest.raises(RuntimeError, match="the disk is gone"):
        list(getattr(client, way)(images()))
    assert server.wait_for_given_up(1)


@pytest.mark.parametrize("way", ["ground_many", "stream"])
def test_iteration_that_is_given_up_cancels_what_is_open(server, client, way):
    limit = {"concurrency": 2} if way == "ground_many" else {"window": 2}
    server.script(*[lambda request: make_answer((1, 8)) if request.image.raw.height == 1 else Hang()] * 6)
    results = getattr(client, way)(map(image, range(100)), **limit)
    next(results)
    assert server.wait_for_requests(2)
    results.close()
    assert server.wait_for_given_up(1)
    assert len(server.requests) <= 6


@pytest.mark.parametrize("way, limit", [("ground_many", "concurrency"), ("stream", "window")])
def test_arguments_are_checked_before_the_first_image(client, way, limit):
    method = getattr(client, way)
    with pytest.raises(ValueError, match=limit):
        list(method([], **{limit: 0}))
    with pytest.raises(TypeError, match="nonsense"):
        list(method([], nonsense=1))
    with pytest.raises(ValueError, match="timeout"):
        list(method([], timeout=float("inf")))
    with pytest.raises(ValueError, match="orientation"):
        list(method([], orientation="sideways"))


@pytest.mark.parametrize("way", ["ground_many", "stream"])
def test_no_image_is_no_answer(client, way):
    assert list(getattr(client, way)([])) == []


def test_progress_bar_counts_the_images(client, capsys):
    assert len(list(client.ground_many([image(0), "none", image(2)], progress=True))) == 3
    assert "3/3" in capsys.readouterr().err


def test_progress_without_tqdm_says_what_to_install(client, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match=r"objectdino\[progress\]"):
        list(client.ground_many([image(0)], progress=True))


# ---- stream -----------------------------------------------------------------------------------------------------------

def test_stream_answers_each_image_with_its_own_status(server, client):
    server.script(make_answer((1, 8)), Failure("INVALID_ARGUMENT", "bad", field="image.raw", reason="IMAGE_TOO_LARGE"))
    answers = {answer.index: answer.result for answer in client.stream([image(0), image(1), "none.jpg", image(3)])}
    assert sorted(answers) == [0, 1, 2, 3]
    assert numbers(answers[index] for index in range(4)) == [0, "INVALID_ARGUMENT", "INVALID_ARGUMENT", 3]
    refused = answers[1]
    assert isinstance(refused, errors.InvalidImage)
    assert (refused.fields[0].field, refused.reason, refused.request_id) == ("image.raw", "IMAGE_TOO_LARGE", "1")
    assert [request.request_id for request in server.requests] == ["0", "1", "3"]


def test_stream_sends_no_more_than_its_window(server, client):
    taken = itertools.count()
    answers = client.stream((image(next(taken)) for _ in range(1000)), window=4)
    next(answers)
    assert next(taken) <= 4 + 3
    answers.close()


def test_stream_of_thousands_loses_none(server, client):
    found = collections.Counter(answer.index for answer in client.stream(itertools.repeat(image(3), 2000)))
    assert found == dict.fromkeys(range(2000), 1)


def test_stream_that_fails_says_why(server, client):
    server.script(make_answer((1, 8)), lambda request: "no answer at all")
    with pytest.raises(GroundingError, match="unanswered"):
        list(client.stream(map(image, range(3)), window=1))


def refuse(self, requests, context):
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")


def end(self, requests, context):
    return iter(())


@pytest.mark.parametrize("ends, error, words", [(refuse, errors.Unauthenticated, "no token"),
                                                (end, errors.Unavailable, "unanswered")])
def test_stream_that_the_server_ends_says_so(connect, monkeypatch, ends, error, words):  # noqa: F811
    """However the client's writes and the end of the call fall."""
    monkeypatch.setattr(FakeServer, "_stream", ends)
    with FakeServer() as server:
        client = connect(server.target)
        for _ in range(50):
            with pytest.raises(error, match=words):
                list(client.stream(map(image, range(8))))


def test_stream_image_without_an_answer_is_a_timeout(server, client):
    server.script(make_answer((1, 8)), Hang())
    answers = client.stream(map(image, range(2)), timeout=0.5)
    assert next(answers).index == 0
    with pytest.raises(errors.Timeout):
        next(answers)
    assert server.wait_for_given_up(1)


def test_stream_waits_for_slow_images_without_a_timeout(server, client):
    """Time that the caller takes is not the server's."""
    pause = threading.Event()

    def images():
        yield image(0)
        pause.wait(1.5)
        yield image(1)
    assert sorted(answer.index for answer in client.stream(images(), timeout=0.5)) == [0, 1]


def test_stream_answer_to_nothing_that_was_asked_is_an_error(server, client, monkeypatch):
    original = FakeServer._stream

    def renamed(self, requests, context):
        for response in original(self, requests, context):
            response.request_id = "77"
            yield response
    monkeypatch.setattr(FakeServer, "_stream", renamed)
    with FakeServer() as strange, GroundingClient(strange.target) as talking, pytest.raises(errors.BadAnswer, match="77"):
        list(talking.stream([image(0)]))


def test_async_iterables_are_images_too():
    async def images():
        for number in range(5):
            yield image(number)

    async def run(target):
        async with AsyncGroundingClient(target, timeout=60) as client:
            many = [result async for result in client.ground_many(images())]
            streamed = [answer async for answer in client.stream(images())]
        return many, sorted(streamed, key=lambda answer: answer.index)

    with FakeServer() as server:
        many, streamed = asyncio.run(run(server.target))
    assert numbers(many) == numbers(answer.result for answer in streamed) == list(range(5))
