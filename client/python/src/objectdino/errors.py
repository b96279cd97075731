# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, each with its cause: the server's own words, the field that is wrong, when to come back.

    GroundingError
      InvalidArgument   a request that the server, or the client before it, refuses; `fields` names what is wrong
        InvalidImage    ... in its image
      TooLarge          the request or its answer is larger than allowed
      Overloaded        the server has no time or memory; `retry_after` says when to come back
      Timeout           the deadline passed
      Unavailable       no server, or one that starts or stops
      Unauthenticated   no token, or a wrong one
      Cancelled         the call was given up
      Unimplemented     the server does not offer this
      Internal          a fault of the server; the message carries the id that its log has too
      BadAnswer         an answer that contradicts itself or the contract

All can be pickled.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from objectdino import _status


class FieldError(NamedTuple):
    """A field of the request, as its path in the proto ("options.clusters"), and what is wrong with it."""

    field: str
    description: str


class GroundingError(Exception):
    """`code` is the name of the gRPC status."""

    code: str = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        fields: tuple[FieldError, ...] = (),
        reason: str | None = None,
        retry_after: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.fields = fields
        self.reason = reason  # google.rpc.ErrorInfo.reason, for example IMAGE_TOO_LARGE
        self.retry_after = retry_after  # seconds
        self.request_id = request_id

    def __str__(self) -> str:
        text = f"{self.code}: {self.message}"
        named = [error.field for error in self.fields if error.field not in self.message]
        text += f" (field {', '.join(named)})" if named else ""
        text += f" (come back in {self.retry_after:.3g} s)" if self.retry_after is not None else ""
        return text + (f" [request {self.request_id}]" if self.request_id else "")

    def __reduce__(self) -> tuple[Any, ...]:
        state = dict(self.__dict__)
        return _rebuild, (type(self), state.pop("message"), state)


def _rebuild(kind: type[GroundingError], message: str, state: dict[str, Any]) -> GroundingError:
    return kind(message, **state)


class InvalidArgument(GroundingError, ValueError):
    code = "INVALID_ARGUMENT"


class InvalidImage(InvalidArgument):
    pass


class TooLarge(GroundingError):
    code = "RESOURCE_EXHAUSTED"


class Overloaded(GroundingError):
    code = "RESOURCE_EXHAUSTED"


class Timeout(GroundingError, TimeoutError):
    code = "DEADLINE_EXCEEDED"


class Unavailable(GroundingError, ConnectionError):
    code = "UNAVAILABLE"


class Unauthenticated(GroundingError):
    code = "UNAUTHENTICATED"


class Cancelled(GroundingError):
    code = "CANCELLED"


class Unimplemented(GroundingError):
    code = "UNIMPLEMENTED"


class Internal(GroundingError):
    code = "INTERNAL"


class BadAnswer(GroundingError):
    code = "INTERNAL"


_KINDS: dict[str, type[GroundingError]] = {
    kind.code: kind
    for kind in (InvalidArgument, Overloaded, Timeout, Unavailable, Unauthenticated, Cancelled, Unimplemented, Internal)
}


def from_status(
    code: str, message: str, details: bytes = b"", push_back: float | None = None, request_id: str = ""
) -> GroundingError:
    """The exception of a gRPC status. `details`: a serialized google.rpc.Status; `push_back`: seconds."""
    parsed = _status.parse(details)
    fields = tuple(FieldError(*violation) for violation in parsed.fields)
    kind = _KINDS.get(code, GroundingError)
    if kind is InvalidArgument and any(error.field.split(".")[0] == "image" for error in fields):
        kind = InvalidImage
    if kind is Overloaded and (parsed.reason == "RESPONSE_TOO_LARGE" or " larger than max" in message):
        kind = TooLarge  # the second is what gRPC itself says of messages over its limits
    return kind(
        message,
        code=code,
        fields=fields,
        reason=parsed.reason,
        retry_after=parsed.retry_after if parsed.retry_after is not None else push_back,
        request_id=request_id,
    )
