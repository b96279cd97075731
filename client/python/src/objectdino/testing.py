# SPDX-License-Identifier: Apache-2.0
"""A grounding server for tests: real gRPC on the loopback interface, in this process, with answers by script.

    with FakeServer() as server, GroundingClient(server.target) as client:
        server.script(Failure("UNAVAILABLE"), make_answer((480, 640), [((10, 20, 300, 400), 0.9)]))
        grounding = client.ground(b"...")            # tried again after the first
        assert len(server.requests) == 2

Answers are taken in the order of the calls of Ground and VerifyRegions and of the images of a stream; when the script
is at its end, each image gets a plausible answer of its own size.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
import numpy as np
import numpy.typing as npt

from objectdino import _status, images, masks, options
from objectdino._proto import grounding_service_pb2 as pb
from objectdino._tensor import from_numpy
from objectdino._transport import HEALTH, SERVICE, SERVING
from objectdino.results import Box

if TYPE_CHECKING:
    from typing_extensions import Self

_NOT_SERVING = b"\x08\x02"
_EMBEDDING_WIDTH = 8


@dataclass(frozen=True)
class Failure:
    """An error status, with the details that the real server sends.

    field        path of what is wrong, for INVALID_ARGUMENT
    reason       google.rpc.ErrorInfo.reason
    retry_after  seconds: RetryInfo, and in single calls the trailer grpc-retry-pushback-ms
    """

    code: str
    message: str = "scripted"
    field: str | None = None
    reason: str | None = None
    retry_after: float | None = None

    def details(self) -> bytes:
        fields = ((self.field, self.message),) if self.field is not None else ()
        return _status.serialize(self.number(), self.message, _status.Details(fields, self.reason, self.retry_after))

    def number(self) -> int:
        value: int = grpc.StatusCode[self.code].value[0]
        return value


@dataclass(frozen=True)
class Hang:
    """No answer: the call waits until its caller gives up, or the server is closed."""


Answer: TypeAlias = "pb.GroundResponse | Failure | Hang | Callable[[Any], Any]"


class FakeServer:
    """`target` is its address. Thread-safe; close it, or use `with`.

    requests   what came, in the order of arrival: GroundRequest, also those of streams, and VerifyRegionsRequest
    metadata   of each of them, as a dict
    given_up   how many calls their callers gave up while they hung
    is_ready   what the health check says
    """

    def __init__(self, *answers: Answer, workers: int = 16, image_size: tuple[int, int] = (480, 640)) -> None:
        """`image_size`: (height, width) of images that Pillow cannot open."""
        self._image_size = image_size
        self._lock = threading.Condition()
        self._script: deque[Answer] = deque(answers)
        self._closing = threading.Event()
        self.requests: list[pb.GroundRequest | pb.VerifyRegionsRequest] = []
        self.metadata: list[dict[str, str]] = []
        self.given_up = 0
        self.is_ready = True
        self._server = grpc.server(
            ThreadPoolExecutor(workers, "objectdino-fake"), options=[("grpc.max_receive_message_length", -1)]
        )
        self._server.add_generic_rpc_handlers((self._handlers(),))
        self._port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self._port}"

    def script(self, *answers: Answer) -> None:
        """Adds answers at the end of the script. A callable gets the request and returns the answer; it may block."""
        with self._lock:
            self._script.extend(answers)

    def wait_for_requests(self, count: int, timeout: float = 30) -> bool:
        """Whether `count` requests have come, before `timeout` seconds are over."""
        with self._lock:
            return self._lock.wait_for(lambda: len(self.requests) >= count, timeout)

    def wait_for_given_up(self, count: int, timeout: float = 30) -> bool:
        with self._lock:
            return self._lock.wait_for(lambda: self.given_up >= count, timeout)

    def close(self) -> None:
        self._closing.set()
        self._server.stop(0).wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- the methods

    def _handlers(self) -> Any:
        def unary(function: Any, request: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(
                function, request.FromString, lambda response: response.SerializeToString()
            )

        methods = {
            f"/{SERVICE}/Ground": unary(self._ground, pb.GroundRequest),
            f"/{SERVICE}/VerifyRegions": unary(self._verify, pb.VerifyRegionsRequest),
            f"/{SERVICE}/GetModelInfo": unary(self._model_info, pb.GetModelInfoRequest),
            f"/{SERVICE}/StreamGround": grpc.stream_stream_rpc_method_handler(
                self._stream, pb.StreamGroundRequest.FromString, lambda response: response.SerializeToString()
            ),
            HEALTH: grpc.unary_unary_rpc_method_handler(lambda *_: SERVING if self.is_ready else _NOT_SERVING),
        }

        class Handlers(grpc.GenericRpcHandler):
            def service(self, handler_call_details: Any) -> Any:
                return methods.get(handler_call_details.method)

        return Handlers()

    def _next(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._lock:
            self.requests.append(request)
            self.metadata.append({key: str(value) for key, value in context.invocation_metadata()})
            answer = self._script.popleft() if self._script else None
            self._lock.notify_all()
        while callable(answer) and not isinstance(answer, pb.GroundResponse):
            answer = answer(request)
        if isinstance(answer, Hang):
            self._hang(context)
        if answer is None:
            answer = make_answer(
                _size(request.image, self._image_size),
                outputs=[options.name_of(pb.Output.DESCRIPTOR, output) for output in request.options.outputs],
            )
        if isinstance(answer, pb.GroundResponse):
            copy = pb.GroundResponse()
            copy.CopyFrom(answer)
            copy.request_id = request.request_id
            return copy
        return answer

    def _hang(self, context: grpc.ServicerContext) -> None:
        ended = threading.Event()
        if context.add_callback(ended.set):
            while not ended.wait(0.02):
                if self._closing.is_set():
                    context.abort(grpc.StatusCode.UNAVAILABLE, "the fake server is closed")
        with self._lock:
            self.given_up += 1
            self._lock.notify_all()

    def _answer(self, request: Any, context: grpc.ServicerContext) -> pb.GroundResponse:
        answer = self._next(request, context)
        if isinstance(answer, Failure):
            trailers: list[tuple[str, str | bytes]] = []
            if details := answer.details():
                trailers.append(("grpc-status-details-bin", details))
            if answer.retry_after is not None:
                trailers.append(("grpc-retry-pushback-ms", str(round(answer.retry_after * 1000))))
            context.set_trailing_metadata(tuple(trailers))
            context.abort(grpc.StatusCode[answer.code], answer.message)
        return answer if isinstance(answer, pb.GroundResponse) else pb.GroundResponse()

    def _ground(self, request: pb.GroundRequest, context: grpc.ServicerContext) -> pb.GroundResponse:
        return self._answer(request, context)

    def _verify(self, request: pb.VerifyRegionsRequest, context: grpc.ServicerContext) -> pb.VerifyRegionsResponse:
        grounding = self._answer(request, context)
        return pb.VerifyRegionsResponse(
            scores=[make_score(region, grounding) for region in request.regions], grounding=grounding
        )

    def _stream(
        self, requests: Iterator[pb.StreamGroundRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.StreamGroundResponse]:
        for item in requests:
            answer = self._next(item.request, context)
            response = pb.StreamGroundResponse(request_id=item.request.request_id)
            if isinstance(answer, Failure):
                response.code, response.message, response.status_details = (
                    answer.number(),
                    answer.message,
                    answer.details(),
                )
            elif isinstance(answer, pb.GroundResponse):
                response.response.CopyFrom(answer)
            else:
                return
            yield response

    def _model_info(self, request: pb.GetModelInfoRequest, context: grpc.ServicerContext) -> pb.GetModelInfoResponse:
        return pb.GetModelInfoResponse(
            model=pb.ModelRef(name="fake", weights_sha256="0" * 64),
            family="fake",
            layers=2,
            heads=2,
            width=_EMBEDDING_WIDTH,
            patch_size=14,
            build_version="fake",
            device="cpu",
            dtype=pb.DATA_TYPE_F32,
            random_weights=True,
            limits=pb.Limits(max_pixels=50_000_000, max_request_bytes=32 << 20, max_input_size=1120),
            methods=[pb.METHOD_OBJECT_DINO],
        )


# ---- answers --------------------------------------------------------------------------------------------------


def make_answer(
    image_size: tuple[int, int] = (480, 640),
    objects: Sequence[tuple[Box, float]] | None = None,
    *,
    grid: tuple[int, int] = (16, 16),
    objectness: npt.ArrayLike | None = None,
    outputs: Sequence[str] = (),
    warnings: Sequence[tuple[str, str]] = (),
) -> pb.GroundResponse:
    """An answer as the server would give it, with all its parts in agreement.

    image_size  (height, width)
    objects     (box in pixels, score), best first; default: one in the middle. Their boxes grow to whole patches
    objectness  [rows, cols] in [0, 1]; default: high inside of the boxes
    outputs     as the option; "pixel_masks" and "patch_embeddings" are honoured
    warnings    (code, message), for example ("low_confidence", "...")
    """
    height, width = image_size
    rows, cols = grid
    if objects is None:
        objects = [((0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height), 0.9)]
    answer = pb.GroundResponse(
        image=pb.ImageInfo(height=height, width=width, applied_orientation=1, format="png"),
        grid=pb.PatchGrid(
            rows=rows, cols=cols, patch_size=14, input_width=14 * cols, input_height=14 * rows,
            content=pb.Box(x1=0, y1=0, x2=width, y2=height),
        ),
        model=pb.ModelRef(name="fake", weights_sha256="0" * 64),
        method=pb.METHOD_OBJECT_DINO,
        timing=pb.Timing(batch_size=1),
    )  # fmt: skip
    vectors = np.random.default_rng(0).standard_normal((rows, cols, _EMBEDDING_WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    drawn = np.full(grid, 0.1, dtype=np.float32)
    for index, ((x1, y1, x2, y2), score) in enumerate(objects):
        top, left = int(y1 / height * rows), int(x1 / width * cols)
        bottom, right = min(rows, -int(-y2 / height * rows // 1)), min(cols, -int(-x2 / width * cols // 1))
        inside = np.zeros(grid, dtype=np.bool_)
        inside[top:bottom, left:right] = True
        if not inside.any():
            raise ValueError(f"object {index} with the box {(x1, y1, x2, y2)} lies off the image of {height} x {width}")
        drawn[inside] = np.maximum(drawn[inside], 0.5 + score / 2)
        box = pb.Box(x1=left / cols * width, y1=top / rows * height, x2=right / cols * width, y2=bottom / rows * height)
        pooled = vectors[inside].mean(axis=0)
        found = answer.objects.add(
            index=index,
            score=score,
            box=box,
            normalized_box=pb.Box(x1=left / cols, y1=top / rows, x2=right / cols, y2=bottom / rows),
            mask=pb.Mask(height=rows, width=cols, coco_rle=masks.encode(inside)),
            anchor=pb.Point(x=(box.x1 + box.x2) / 2, y=(box.y1 + box.y2) / 2),
            area_fraction=inside.mean(),
            embedding=pb.Embedding(
                values=from_numpy(pooled / np.linalg.norm(pooled), pb.DATA_TYPE_F16),
                l2_normalized=True,
                space="fake@000000000000/final-norm/patch-mean",
            ),
            patch_indices=np.flatnonzero(inside).tolist(),
        )
        if "pixel_masks" in outputs:
            pixels = np.zeros(image_size, dtype=np.bool_)
            pixels[round(box.y1) : round(box.y2), round(box.x1) : round(box.x2)] = True
            found.pixel_mask.CopyFrom(pb.Mask(height=height, width=width, coco_rle=masks.encode(pixels)))
    if not outputs or "objectness" in outputs:
        values = drawn if objectness is None else np.asarray(objectness, dtype=np.float32)
        if values.shape != grid:
            raise ValueError(f"the objectness map is {values.shape}, the grid {grid}")
        answer.objectness.CopyFrom(from_numpy(values))
    if "patch_embeddings" in outputs:
        answer.patches.embeddings.CopyFrom(from_numpy(vectors.reshape(-1, _EMBEDDING_WIDTH), pb.DATA_TYPE_F16))
        answer.patches.patch_indices.extend(range(rows * cols))
        answer.patches.l2_normalized, answer.patches.space = True, "fake@000000000000/final-norm/patch"
    for code, message in warnings:
        answer.warnings.add(code=pb.Warning.Code.Value(f"CODE_{code.upper()}"), message=message)
    return answer


def make_score(region: pb.Region, grounding: pb.GroundResponse) -> pb.RegionScore:
    """Not the server's formula: the best IoU of a box with the objects' boxes, 0.5 for all other regions."""
    if region.WhichOneof("kind") != "box":
        return pb.RegionScore(score=0.5)
    claimed = region.box
    ious = [_iou(claimed, found.box) for found in grounding.objects]
    score = pb.RegionScore(score=max(ious, default=0.0), box=claimed)
    if ious and max(ious) > 0:
        score.best_object.index, score.best_object.iou = int(np.argmax(ious)), max(ious)
    return score


def _iou(a: pb.Box, b: pb.Box) -> float:
    common = max(0.0, min(a.x2, b.x2) - max(a.x1, b.x1)) * max(0.0, min(a.y2, b.y2) - max(a.y1, b.y1))
    return common / ((a.x2 - a.x1) * (a.y2 - a.y1) + (b.x2 - b.x1) * (b.y2 - b.y1) - common)


def _size(image: pb.Image, default: tuple[int, int]) -> tuple[int, int]:
    if image.WhichOneof("source") == "raw":
        return image.raw.height, image.raw.width
    try:
        opened = images.upright(image.encoded, 1)
    except (ImportError, ValueError):
        return default
    return opened.height, opened.width
