# SPDX-License-Identifier: Apache-2.0
"""What both clients share: where to connect and with which secrets, when to try again, requests and answers.

Tried again, inside the deadline, at most `max_attempts` times in all: UNAVAILABLE, after a growing pause; and
RESOURCE_EXHAUSTED where the server says when to come back, after the pause that it asks for. Every method is pure, so
that is safe.
"""

from __future__ import annotations

import ipaddress
import math
import os
import pathlib
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from objectdino import errors, images, regions
from objectdino._proto import grounding_service_pb2 as pb
from objectdino.options import GroundOptions
from objectdino.options import to_proto as to_options
from objectdino.results import Grounding

SERVICE = "objectdino.v1.GroundingService"
HEALTH = "/grpc.health.v1.Health/Check"
# A grpc.health.v1.HealthCheckResponse with status SERVING. Written out, since messages of our own would collide with
# those of grpcio-health-checking in the same process.
SERVING = b"\x08\x01"

MAX_TIMEOUT = 24 * 3600.0
MAX_TOKEN_BYTES = 4096
KEEPALIVE_TIMEOUT_SECONDS = 10
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

Metadata = tuple[tuple[str, str], ...]
Path = str | os.PathLike[str]


@dataclass(frozen=True)
class Tls:
    """Files in PEM. `ca`: whose certificates are trusted, default: gRPC's own roots; `cert` and `key`: mutual TLS."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        if (self.cert is None) != (self.key is None):
            raise ValueError("a certificate and its key come together")
        return grpc.ssl_channel_credentials(_read_pem(self.ca), _read_pem(self.key), _read_pem(self.cert))


def _read_pem(path: Path | None) -> bytes | None:
    if path is None:
        return None
    pem = pathlib.Path(path).read_bytes()
    if b"-----BEGIN " not in pem:
        raise ValueError(f"{os.fspath(path)}: holds no PEM")
    return pem


class Token:
    """A bearer token, or the file that holds it, which is read again when it has changed."""

    def __init__(self, token: str | None, file: Path | None) -> None:
        if token is not None and file is not None:
            raise ValueError("token and token_file exclude each other")
        self._file = None if file is None else pathlib.Path(file)
        self._seen: tuple[int, ...] = ()
        self._token = "" if token is None else _check_token(token, "token")
        self.metadata()

    @property
    def is_set(self) -> bool:
        return bool(self._token)

    def metadata(self) -> Metadata:
        if self._file is not None:
            stat = self._file.stat()
            seen = stat.st_mtime_ns, stat.st_size, stat.st_ino
            if seen != self._seen:
                with self._file.open("rb") as opened:
                    text = opened.read(MAX_TOKEN_BYTES + 1).decode("ascii", "replace")
                self._token, self._seen = _check_token(text.strip(), str(self._file)), seen
        return (("authorization", f"Bearer {self._token}"),) if self._token else ()


def _check_token(token: str, what: str) -> str:
    if not 0 < len(token) <= MAX_TOKEN_BYTES or any(not "!" <= character <= "~" for character in token):
        raise ValueError(f"{what}: holds no token: printable characters without spaces")
    return token


def is_loopback(target: str) -> bool:
    """Whether a gRPC target is certain to be this machine. Names are not looked up."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    for scheme in ("dns:///", "dns:", "ipv4:", "ipv6:"):
        if target.startswith(scheme):
            target = target[len(scheme) :]
            break
    if "," in target:
        return False
    host = target[1:].split("]")[0] if target.startswith("[") else target.split(":")[0]
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class RetryPolicy:
    """When a call that failed is tried again. Pauses in seconds."""

    max_attempts: int = 4
    first_pause: float = 0.1
    max_pause: float = 1.0
    growth: float = 2.0
    spread: float = 0.2  # share of a pause that chance adds or takes, so that callers do not come back together

    def pause(self, attempt: int, code: str, push_back: float | None, remaining: float) -> float | None:
        """Before the next attempt, after `attempt` of them; None: do not try again.

        `push_back`: what the server says, negative = do not come back. `remaining`: until the deadline.
        """
        if attempt >= self.max_attempts or (push_back is not None and push_back < 0):
            return None
        if push_back is not None and code in ("RESOURCE_EXHAUSTED", "UNAVAILABLE"):
            pause = push_back
        elif code == "UNAVAILABLE":
            pause = min(self.first_pause * self.growth ** (attempt - 1), self.max_pause)
            pause *= random.uniform(1 - self.spread, 1 + self.spread)
        else:
            return None
        return pause if pause < remaining else None


@dataclass(frozen=True)
class Connection:
    """The arguments of both clients, checked; see GroundingClient."""

    target: str
    timeout: float
    tls: Tls | bool | None
    token: str | None = field(repr=False)
    token_file: Path | None
    max_attempts: int
    max_answer_bytes: int
    keepalive_seconds: float
    traceparent: Callable[[], str | None] | None
    channel_options: Sequence[tuple[str, Any]]
    secret: Token = field(init=False, repr=False)
    retry: RetryPolicy = field(init=False)

    def __post_init__(self) -> None:
        if not self.target:
            raise ValueError("the server's address is empty")
        if self.max_attempts < 1 or self.max_answer_bytes < 1 or not self.keepalive_seconds >= 1:
            raise ValueError("max_attempts, max_answer_bytes or keepalive_seconds is out of range")
        self.seconds(self.timeout)
        object.__setattr__(self, "secret", Token(self.token, self.token_file))
        object.__setattr__(self, "retry", RetryPolicy(self.max_attempts))
        if self.secret.is_set and not self.tls and not is_loopback(self.target):
            raise ValueError(f"a token is not sent to {self.target} as plain text: use tls")

    def seconds(self, timeout: float | None) -> float:
        value = self.timeout if timeout is None else timeout
        if not (math.isfinite(value) and 0 < value <= MAX_TIMEOUT):
            raise ValueError(f"the timeout must be above 0 and at most {MAX_TIMEOUT:.0f} seconds, not {value}")
        return value

    def credentials(self) -> grpc.ChannelCredentials | None:
        if not self.tls:
            return None
        return (Tls() if self.tls is True else self.tls).credentials()

    def arguments(self) -> list[tuple[str, Any]]:
        from objectdino import __version__

        arguments: list[tuple[str, Any]] = [
            ("grpc.primary_user_agent", f"objectdino-python/{__version__}"),
            ("grpc.max_receive_message_length", self.max_answer_bytes),
            ("grpc.max_send_message_length", -1),  # the server has a limit, and says so
            ("grpc.enable_retries", 0),  # RetryPolicy does that
            ("grpc.keepalive_time_ms", round(self.keepalive_seconds * 1000)),
            ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_SECONDS * 1000),
            # Or every attempt within the first second after a lost connection would fail at once.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2000),
        ]
        if is_loopback(self.target):
            arguments.append(("grpc.enable_http_proxy", 0))  # a proxy is never the way to the own machine
        return [*arguments, *self.channel_options]

    def metadata(self, traceparent: str | None) -> Metadata:
        trace = self.traceparent() if traceparent is None and self.traceparent is not None else traceparent
        if trace is None:
            return self.secret.metadata()
        if not _TRACEPARENT.fullmatch(trace):
            raise ValueError(f"traceparent is not to the letter of the W3C standard: {trace!r}")
        return (*self.secret.metadata(), ("traceparent", trace))


class Clock:
    """The deadline of one call, attempts included."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        return self._end - time.monotonic()

    def timeout(self) -> float:
        """What gRPC is given: never nothing, which it takes for no deadline at all."""
        return max(self.remaining(), 0.001)


# ---- errors ---------------------------------------------------------------------------------------------------


def push_back(trailers: Iterable[Any] | None) -> float | None:
    """The trailer grpc-retry-pushback-ms in seconds. Negative: do not come back, also for one that is no number."""
    for key, value in trailers or ():
        if key == "grpc-retry-pushback-ms":
            text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
            return int(text) / 1000 if re.fullmatch(r"\d{1,9}", text) else -1.0
    return None


def failure(error: Any, request_id: str = "") -> tuple[errors.GroundingError, float | None]:
    """The exception of a grpc.RpcError of either kind, and the server's push-back."""
    trailers = error.trailing_metadata() or ()
    pause = push_back(trailers)
    details = next((value for key, value in trailers if key == "grpc-status-details-bin"), b"")
    code = error.code().name
    after = pause if pause is not None and pause >= 0 else None
    return errors.from_status(code, error.details() or "", details, after, request_id), pause


def code_name(number: int) -> str:
    return next((code.name for code in grpc.StatusCode if code.value[0] == number), "UNKNOWN")


# ---- requests and answers -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Template:
    """What all requests of a call have in common."""

    options: pb.GroundOptions
    orientation: str

    @staticmethod
    def of(given: GroundOptions, orientation: str) -> Template:
        if orientation not in ("apply", "ignore"):
            raise ValueError(f"orientation must be 'apply' or 'ignore', not {orientation!r}")
        return Template(to_options(given), orientation)

    def ground(self, image: images.ImageInput, request_id: str) -> tuple[pb.GroundRequest, int]:
        """The request, and the EXIF orientation that was undone."""
        sent, undone = images.to_proto(image, self.orientation)
        return pb.GroundRequest(image=sent, options=self.options, request_id=request_id), undone

    def verify(
        self, image: images.ImageInput, claimed: Sequence[regions.Region], request_id: str
    ) -> tuple[pb.VerifyRegionsRequest, int]:
        sent, undone = images.to_proto(image, self.orientation)
        request = pb.VerifyRegionsRequest(image=sent, options=self.options, request_id=request_id)
        request.regions.extend(region.raw for region in claimed)
        return request, undone


def verification(
    response: pb.VerifyRegionsResponse, claimed: Sequence[regions.Region], source: images.ImageInput, undone: int
) -> regions.Verification:
    if len(response.scores) != len(claimed):
        raise errors.BadAnswer(f"{len(claimed)} regions, {len(response.scores)} scores")
    scores = tuple(regions.RegionScore(raw, region.label) for raw, region in zip(response.scores, claimed, strict=True))
    return regions.Verification(scores, Grounding(response.grounding, source, undone))


@dataclass(frozen=True)
class Streamed:
    """One answer of a stream."""

    index: int  # of the image
    result: Grounding | errors.GroundingError


class Outstanding:
    """The images of a stream that are not answered yet, each with the orientation that was undone and its time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._images: dict[int, tuple[int, float]] = {}
        self.all_sent = False  # the writer sets it

    def end(self) -> None:
        """Unavailable: the stream has ended and images are left, since the server ended it early."""
        with self._lock:
            if self._images or not self.all_sent:
                others = "" if self.all_sent else ", others not sent"
                raise errors.Unavailable(f"the stream ended early: {len(self._images)} images unanswered{others}")

    def add(self, index: int, undone: int) -> None:
        with self._lock:
            self._images[index] = undone, time.monotonic() + self._seconds

    def patience(self) -> float:
        """Seconds until the oldest image has waited too long; not above 0: it has."""
        with self._lock:
            return (
                min((end for _, end in self._images.values()), default=time.monotonic() + self._seconds)
                - time.monotonic()
            )

    def take(self, response: pb.StreamGroundResponse) -> Streamed:
        """BadAnswer: an answer to nothing that was asked."""
        index = int(response.request_id) if response.request_id.isdecimal() else -1
        with self._lock:
            if index not in self._images:
                raise errors.BadAnswer(f"the stream answers {response.request_id!r}, which was not asked")
            undone, _ = self._images.pop(index)
        if response.code == 0:
            return Streamed(index, Grounding(response.response, None, undone))
        code = code_name(response.code)
        return Streamed(index, errors.from_status(code, response.message, response.status_details, None, str(index)))


def progress_bar(wanted: bool, given: Any) -> Any:
    """tqdm's bar, with the total where it is known, or one that shows nothing."""
    if not wanted:
        return _NoBar()
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("progress bars need tqdm: pip install 'objectdino[progress]'") from error
    return tqdm(total=len(given) if hasattr(given, "__len__") else None, unit="image")


class _NoBar:
    def update(self, count: int = 1) -> None:
        pass

    def close(self) -> None:
        pass
