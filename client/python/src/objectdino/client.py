# SPDX-License-Identifier: Apache-2.0
"""A connection to a grounding server, for threads; objectdino.aio has the same for asyncio."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import grpc

from objectdino import errors
from objectdino._proto import grounding_service_pb2 as pb
from objectdino._transport import (
    HEALTH,
    SERVICE,
    SERVING,
    Clock,
    Connection,
    Metadata,
    Outstanding,
    Path,
    Streamed,
    Template,
    Tls,
    failure,
    progress_bar,
    verification,
)
from objectdino.images import ImageInput
from objectdino.regions import RegionInput, Verification, to_region
from objectdino.results import Grounding, ModelInfo

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from objectdino.options import GroundOptions

Orientation = Literal["apply", "ignore"]


class GroundingClient:
    """Calls a grounding server. All methods may be used from any number of threads; close it, or use `with`.

    target             host:port, or any gRPC target such as unix:PATH; the network is first used by the first call
    timeout            seconds of a call, attempts included; finite
    tls                True: TLS with the roots that gRPC carries; Tls(ca=..., cert=..., key=...): own files
    token, token_file  sent as a bearer token; the file is read again when it changes. Needs tls but for loopback
    max_attempts       in all: UNAVAILABLE, and RESOURCE_EXHAUSTED when the server says when to come back
    max_answer_bytes   larger answers are TooLarge
    keepalive_seconds  between pings of a connection with calls; the server takes no less than 10
    traceparent        gives each call its W3C trace context, or None; a call's own argument goes before it
    channel_options    more arguments of the gRPC channel

    A client does not outlive a fork: make it in the process that uses it. Errors are those of objectdino.errors;
    ValueError and TypeError where an argument makes no sense.
    """

    def __init__(
        self,
        target: str,
        *,
        timeout: float = 5.0,
        tls: Tls | bool | None = None,
        token: str | None = None,
        token_file: Path | None = None,
        max_attempts: int = 4,
        max_answer_bytes: int = 64 << 20,
        keepalive_seconds: float = 30.0,
        traceparent: Callable[[], str | None] | None = None,
        channel_options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        self._connection = Connection(
            target, timeout, tls, token, token_file, max_attempts, max_answer_bytes, keepalive_seconds, traceparent,
            channel_options,
        )  # fmt: skip
        credentials, arguments = self._connection.credentials(), self._connection.arguments()
        if credentials is None:
            self._channel = grpc.insecure_channel(target, arguments)
        else:
            self._channel = grpc.secure_channel(target, credentials, arguments)
        unary = self._channel.unary_unary
        self._ground = unary(f"/{SERVICE}/Ground", pb.GroundRequest.SerializeToString, pb.GroundResponse.FromString)
        self._verify = unary(
            f"/{SERVICE}/VerifyRegions", pb.VerifyRegionsRequest.SerializeToString, pb.VerifyRegionsResponse.FromString
        )
        self._model_info = unary(
            f"/{SERVICE}/GetModelInfo", pb.GetModelInfoRequest.SerializeToString, pb.GetModelInfoResponse.FromString
        )
        self._stream = self._channel.stream_stream(
            f"/{SERVICE}/StreamGround", pb.StreamGroundRequest.SerializeToString, pb.StreamGroundResponse.FromString
        )
        self._health: Any = unary(HEALTH)

    @property
    def target(self) -> str:
        return self._connection.target

    def close(self) -> None:
        """Ends all calls and the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- one image

    def ground(
        self,
        image: ImageInput,
        *,
        timeout: float | None = None,
        request_id: str = "",
        traceparent: str | None = None,
        orientation: Orientation = "apply",
        **options: Unpack[GroundOptions],
    ) -> Grounding:
        """The objects of an image; objectdino.images says what is one, objectdino.options what can be chosen."""
        clock = Clock(self._connection.seconds(timeout))
        request, undone = Template.of(options, orientation).ground(image, request_id)
        metadata = self._connection.metadata(traceparent)
        return Grounding(self._call(self._ground, request, clock, metadata, request_id), image, undone)

    def verify(
        self,
        image: ImageInput,
        regions: Iterable[RegionInput],
        *,
        timeout: float | None = None,
        request_id: str = "",
        traceparent: str | None = None,
        orientation: Orientation = "apply",
        **options: Unpack[GroundOptions],
    ) -> Verification:
        """Scores claimed regions, in their order: how much each looks like an object. Scores, never a verdict."""
        clock = Clock(self._connection.seconds(timeout))
        claimed = [to_region(region) for region in regions]
        request, undone = Template.of(options, orientation).verify(image, claimed, request_id)
        metadata = self._connection.metadata(traceparent)
        response = self._call(self._verify, request, clock, metadata, request_id)
        return verification(response, claimed, image, undone)

    def model_info(self, *, timeout: float | None = None) -> ModelInfo:
        """What the server serves: model, build, limits, defaults."""
        clock = Clock(self._connection.seconds(timeout))
        return ModelInfo(
            self._call(self._model_info, pb.GetModelInfoRequest(), clock, self._connection.metadata(None), "")
        )

    def ready(self, *, timeout: float | None = None) -> bool:
        """Whether the server answers and is ready to ground. Tries once."""
        try:
            return bool(self._health(b"", timeout=self._connection.seconds(timeout)) == SERVING)
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                return False
            raise failure(error)[0] from error

    # ---- many images

    def ground_many(
        self,
        images: Iterable[ImageInput],
        *,
        concurrency: int = 8,
        progress: bool = False,
        timeout: float | None = None,
        traceparent: str | None = None,
        orientation: Orientation = "apply",
        **options: Unpack[GroundOptions],
    ) -> Iterator[Grounding | errors.GroundingError]:
        """The answers, or the errors, of many images in their order.

        At most `concurrency` calls are open at once. `images` is read little by little, so it may be endless. An image
        that cannot be grounded is an item, not an end. `timeout` is that of each image. Closing the iterator, or an
        exception in `images`, cancels what is open.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        template, seconds = Template.of(options, orientation), self._connection.seconds(timeout)
        return self._many(images, concurrency, progress_bar(progress, images), template, seconds, traceparent)

    def _many(
        self,
        given: Iterable[ImageInput],
        concurrency: int,
        bar: Any,
        template: Template,
        seconds: float,
        traceparent: str | None,
    ) -> Iterator[Grounding | errors.GroundingError]:
        open_calls = _OpenCalls()

        def one(image: ImageInput) -> Grounding | errors.GroundingError:
            clock = Clock(seconds)
            try:
                request, undone = template.ground(image, "")
                metadata = self._connection.metadata(traceparent)
                result = Grounding(self._call(self._ground, request, clock, metadata, "", open_calls), None, undone)
            except errors.GroundingError as error:
                return error
            finally:
                bar.update()
            return result

        pool = ThreadPoolExecutor(concurrency, "objectdino")
        waiting: deque[Future[Grounding | errors.GroundingError]] = deque()
        try:
            for image in given:
                waiting.append(pool.submit(one, image))
                # Twice as many as are computed, so that one slow image does not idle the others.
                if len(waiting) >= 2 * concurrency:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            open_calls.cancel()
            pool.shutdown(wait=True, cancel_futures=True)
            bar.close()

    def stream(
        self,
        images: Iterable[ImageInput],
        *,
        window: int = 16,
        timeout: float | None = None,
        traceparent: str | None = None,
        orientation: Orientation = "apply",
        **options: Unpack[GroundOptions],
    ) -> Iterator[Streamed]:
        """Grounds many images in one long call; answers come in any order, each with its index and its own status.

        At most `window` images are on their way at once. Nothing is tried again: an answer may be Overloaded.
        `timeout` is how long an image may wait for its answer; Timeout, or a failure of the stream, ends the
        iteration. `images` is read from another thread.
        """
        if window < 1:
            raise ValueError(f"window must be at least 1, not {window}")
        template, seconds = Template.of(options, orientation), self._connection.seconds(timeout)
        metadata = self._connection.metadata(traceparent)
        return self._streamed(images, window, template, seconds, metadata)

    def _streamed(
        self,
        given: Iterable[ImageInput],
        window: int,
        template: Template,
        seconds: float,
        metadata: Metadata,
    ) -> Iterator[Streamed]:
        answers: queue.SimpleQueue[pb.StreamGroundResponse | Streamed | BaseException | None] = queue.SimpleQueue()
        room, ended = threading.Semaphore(window), threading.Event()
        outstanding = Outstanding(seconds)

        def requests() -> Iterator[pb.StreamGroundRequest]:
            try:
                for index, image in enumerate(given):
                    room.acquire()
                    if ended.is_set():
                        return
                    try:
                        request, undone = template.ground(image, str(index))
                    except errors.GroundingError as error:
                        answers.put(Streamed(index, error))
                        continue
                    outstanding.add(index, undone)
                    yield pb.StreamGroundRequest(request=request)
                outstanding.all_sent = True
            except Exception as error:
                answers.put(error)

        def read() -> None:
            try:
                for response in call:
                    answers.put(response)
                answers.put(None)
            except Exception as error:
                answers.put(error)

        call = self._stream(requests(), metadata=metadata)
        reader = threading.Thread(target=read, name="objectdino-stream", daemon=True)
        reader.start()
        try:
            while True:
                try:
                    answer = answers.get(timeout=max(outstanding.patience(), 0.001))
                except queue.Empty:
                    if outstanding.patience() > 0:
                        continue
                    raise errors.Timeout(f"an image was not answered for {seconds:g} seconds") from None
                if answer is None:
                    outstanding.end()
                    return
                if isinstance(answer, grpc.RpcError):
                    raise failure(answer)[0] from answer
                if isinstance(answer, BaseException):
                    raise answer
                room.release()
                yield answer if isinstance(answer, Streamed) else outstanding.take(answer)
        finally:
            ended.set()
            room.release()
            call.cancel()
            reader.join()

    # ---- calls

    def _call(
        self,
        method: Any,
        request: Any,
        clock: Clock,
        metadata: Metadata,
        request_id: str,
        open_calls: _OpenCalls | None = None,
    ) -> Any:
        attempt = 0
        while True:
            attempt += 1
            call = method.future(request, timeout=clock.timeout(), metadata=metadata)
            with open_calls.holding(call) if open_calls else contextlib.nullcontext():
                try:
                    return call.result()
                except grpc.FutureCancelledError as error:
                    raise errors.Cancelled("the call was given up", request_id=request_id) from error
                except grpc.RpcError as error:
                    failed, push_back = failure(error, request_id)
                    pause = self._connection.retry.pause(attempt, failed.code, push_back, clock.remaining())
                    if pause is None:
                        raise failed from error
                except BaseException:  # an interrupt: nobody waits any more
                    call.cancel()
                    raise
            if open_calls is None:
                time.sleep(pause)
            elif open_calls.ended.wait(pause):
                raise errors.Cancelled("the call was given up", request_id=request_id)


class _OpenCalls:
    """Calls that can be ended together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: set[Any] = set()
        self.ended = threading.Event()

    @contextlib.contextmanager
    def holding(self, call: Any) -> Iterator[None]:
        with self._lock:
            self._calls.add(call)
            if self.ended.is_set():
                call.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._calls.discard(call)

    def cancel(self) -> None:
        with self._lock:
            self.ended.set()
            for call in self._calls:
                call.cancel()
