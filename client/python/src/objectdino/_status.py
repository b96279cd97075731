# SPDX-License-Identifier: Apache-2.0
"""google.rpc.Status and its details.

Their descriptors live in a pool of their own: in protobuf's default pool they would collide with those of
googleapis-common-protos, which many programs load too.
"""

from __future__ import annotations

import functools
import importlib.resources
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message


class Details(NamedTuple):
    fields: tuple[tuple[str, str], ...] = ()  # (path, description)
    reason: str | None = None
    retry_after: float | None = None  # seconds


@functools.cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet()
    files.ParseFromString(importlib.resources.files("objectdino._proto").joinpath("errors.binpb").read_bytes())
    for file in files.file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


@functools.cache
def message_class(name: str) -> type[Message]:
    """A message of google.rpc by its name, for example "BadRequest"."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"google.rpc.{name}"))


def parse(serialized: bytes) -> Details:
    """Of bytes that are no status: nothing."""
    details = Details()
    if not serialized:
        return details
    try:
        status: Any = message_class("Status").FromString(serialized)
        for packed in status.details:
            name = packed.type_url.rpartition("/")[2]
            if name == "google.rpc.BadRequest":
                request: Any = message_class("BadRequest").FromString(packed.value)
                details = details._replace(fields=tuple((v.field, v.description) for v in request.field_violations))
            elif name == "google.rpc.ErrorInfo":
                info: Any = message_class("ErrorInfo").FromString(packed.value)
                details = details._replace(reason=info.reason or None)
            elif name == "google.rpc.RetryInfo":
                retry: Any = message_class("RetryInfo").FromString(packed.value)
                details = details._replace(retry_after=retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9)
    except DecodeError:
        return Details()
    return details


def serialize(code: int, message: str, details: Details) -> bytes:
    """Inverse of parse; empty without details. What testing.FakeServer sends."""
    status: Any = message_class("Status")()
    status.code, status.message = code, message
    packed = []
    if details.fields:
        request: Any = message_class("BadRequest")()
        for path, description in details.fields:
            request.field_violations.add(field=path, description=description)
        packed.append(request)
    if details.reason is not None:
        packed.append(message_class("ErrorInfo")(reason=details.reason, domain="objectdino"))
    if details.retry_after is not None:
        retry: Any = message_class("RetryInfo")()
        retry.retry_delay.FromNanoseconds(round(details.retry_after * 1e9))
        packed.append(retry)
    for message_ in packed:
        status.details.add(
            type_url=f"type.googleapis.com/{message_.DESCRIPTOR.full_name}"
        ).value = message_.SerializeToString()
    return bytes(status.SerializeToString()) if packed else b""
