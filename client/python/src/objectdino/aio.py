# SPDX-License-Identifier: Apache-2.0
"""A connection to a grounding server, for asyncio: GroundingClient's methods, awaited or iterated with `async for`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from objectdino import errors
from objectdino._ending import Ending
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
from objectdino.client import Orientation
from objectdino.images import ImageInput
from objectdino.regions import RegionInput, Verification, to_region
from objectdino.results import Grounding, ModelInfo

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from objectdino.options import GroundOptions


class AsyncGroundingClient:
    """GroundingClient for one event loop; the arguments are the same. Close it, or use `async with`.

    A cancelled task gives its call up, on the server too. Files, and iterators of images, are read in a thread.
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
            self._channel = grpc.aio.insecure_channel(target, arguments)
        else:
            self._channel = grpc.aio.secure_channel(target, credentials, arguments)
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

    async def close(self) -> None:
        """Ends all calls and the connection."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # ---- one image

    async def ground(
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
        request, undone = await _prepare(Template.of(options, orientation).ground, image, request_id)
        metadata = self._connection.metadata(traceparent)
        return Grounding(await self._call(self._ground, request, clock, metadata, request_id), image, undone)

    async def verify(
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
        request, undone = await _prepare(Template.of(options, orientation).verify, image, claimed, request_id)
        metadata = self._connection.metadata(traceparent)
        response = await self._call(self._verify, request, clock, metadata, request_id)
        return verification(response, claimed, image, undone)

    async def model_info(self, *, timeout: float | None = None) -> ModelInfo:
        """What the server serves: model, build, limits, defaults."""
        clock = Clock(self._connection.seconds(timeout))
        metadata = self._connection.metadata(None)
        return ModelInfo(await self._call(self._model_info, pb.GetModelInfoRequest(), clock, metadata, ""))

    async def ready(self, *, timeout: float | None = None) -> bool:
        """Whether the server answers and is ready to ground. Tries once."""
        try:
            return bool(await self._health(b"", timeout=self._connection.seconds(timeout)) == SERVING)
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                return False
            raise failure(error)[0] from error

    # ---- many images

    def ground_many(
        self,
        images: Iterable[ImageInput] | AsyncIterable[ImageInput],
        *,
        concurrency: int = 8,
        progress: bool = False,
        timeout: float | None = None,
        traceparent: str | None = None,
        orientation: Orientation = "apply",
        **options: Unpack[GroundOptions],
    ) -> AsyncIterator[Grounding | errors.GroundingError]:
        """The answers, or the errors, of many images in their order.

        At most `concurrency` calls are open at once. `images` is read little by little, so it may be endless. An image
        that cannot be grounded is an item, not an end. `timeout` is that of each image. Closing the iterator, or an
        exception in `images`, cancels what is open.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        template, seconds = Template.of(options, orientation), self._connection.seconds(timeout)
        return self._many(images, concurrency, progress_bar(progress, images), template, seconds, traceparent)

    async def _many(
        self,
        given: Iterable[ImageInput] | AsyncIterable[ImageInput],
        concurrency: int,
        bar: Any,
        template: Template,
        seconds: float,
        traceparent: str | None,
    ) -> AsyncIterator[Grounding | errors.GroundingError]:
        room = asyncio.Semaphore(concurrency)

        async def one(image: ImageInput) -> Grounding | errors.GroundingError:
            async with room:
                clock = Clock(seconds)
                try:
                    request, undone = await _prepare(template.ground, image, "")
                    metadata = self._connection.metadata(traceparent)
                    return Grounding(await self._call(self._ground, request, clock, metadata, ""), None, undone)
                except errors.GroundingError as error:
                    return error
                finally:
                    bar.update()

        waiting: deque[asyncio.Task[Grounding | errors.GroundingError]] = deque()
        try:
            async for image in _each(given):
                waiting.append(asyncio.ensure_future(one(image)))
                # Twice as many as are computed, so that one slow image does not idle the others.
                if len(waiting) >= 2 * concurrency:
                    yield await waiting[0]
                    waiting.popleft()
            while waiting:
                yield await waiting[0]
                waiting.popleft()
        finally:
            await _give_up(waiting)
            bar.close()

    def stream(
        self,
        images: Iterable[ImageInput] | AsyncIterable[ImageInput],
        *,
        window: int = 16,
        timeout: float | None = None,
        traceparent: str | None = None,
        orientation: Orientation = "apply",
        **options: Unpack[GroundOptions],
    ) -> AsyncIterator[Streamed]:
        """Grounds many images in one long call; answers come in any order, each with its index and its own status.

        At most `window` images are on their way at once. Nothing is tried again: an answer may be Overloaded.
        `timeout` is how long an image may wait for its answer; Timeout, or a failure of the stream, ends the
        iteration.
        """
        if window < 1:
            raise ValueError(f"window must be at least 1, not {window}")
        template, seconds = Template.of(options, orientation), self._connection.seconds(timeout)
        metadata = self._connection.metadata(traceparent)
        return self._streamed(images, window, template, seconds, metadata)

    async def _streamed(
        self,
        given: Iterable[ImageInput] | AsyncIterable[ImageInput],
        window: int,
        template: Template,
        seconds: float,
        metadata: Metadata,
    ) -> AsyncIterator[Streamed]:
        answers: asyncio.Queue[pb.StreamGroundResponse | Streamed | BaseException | None] = asyncio.Queue()
        room = asyncio.Semaphore(window)
        outstanding = Outstanding(seconds)
        call = self._stream(metadata=metadata)
        ending = Ending(call)

        async def write() -> None:
            try:
                index = -1
                async for image in _each(given):
                    index += 1
                    await room.acquire()
                    try:
                        request, undone = await _prepare(template.ground, image, str(index))
                    except errors.GroundingError as error:
                        answers.put_nowait(Streamed(index, error))
                        continue
                    outstanding.add(index, undone)
                    await call.write(pb.StreamGroundRequest(request=request))
                outstanding.all_sent = True
                await call.done_writing()
            except (grpc.RpcError, asyncio.InvalidStateError):
                pass  # the call has ended, and the reader knows why
            except Exception as error:
                answers.put_nowait(error)

        async def read() -> None:
            try:
                async for response in call:
                    answers.put_nowait(response)
                answers.put_nowait(None)
            except grpc.RpcError as error:
                answers.put_nowait(await ending.instead_of(error))

        tasks = [asyncio.ensure_future(write()), asyncio.ensure_future(read())]
        try:
            while True:
                try:
                    answer = await asyncio.wait_for(answers.get(), max(outstanding.patience(), 0.001))
                except asyncio.TimeoutError:
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
            call.cancel()
            await _give_up(tasks)

    # ---- calls

    async def _call(self, method: Any, request: Any, clock: Clock, metadata: Metadata, request_id: str) -> Any:
        attempt = 0
        while True:
            attempt += 1
            try:
                return await method(request, timeout=clock.timeout(), metadata=metadata)
            except grpc.aio.AioRpcError as error:
                failed, push_back = failure(error, request_id)
                pause = self._connection.retry.pause(attempt, failed.code, push_back, clock.remaining())
                if pause is None:
                    raise failed from error
            await asyncio.sleep(pause)


async def _prepare(prepare: Callable[..., Any], image: ImageInput, *arguments: Any) -> Any:
    if isinstance(image, bytes):
        return prepare(image, *arguments)
    return await asyncio.to_thread(prepare, image, *arguments)


async def _each(given: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    if isinstance(given, AsyncIterable):
        async for item in given:
            yield item
    elif isinstance(given, Sequence):
        for item in given:
            yield item
    else:  # it may read a disk, so not in the loop
        iterator, end = iter(given), object()
        while (item := await asyncio.to_thread(next, iterator, end)) is not end:
            yield item


async def _give_up(tasks: Iterable[asyncio.Task[Any]]) -> None:
    pending = list(tasks)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    await asyncio.sleep(0)  # gRPC passes a cancellation on in the loop's next turn
