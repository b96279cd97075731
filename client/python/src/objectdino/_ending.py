# SPDX-License-Identifier: Apache-2.0
"""How a stream of grpc.aio ended, in the words of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import grpc
import grpc.aio

_OF_A_FAILED_WRITE = (grpc.StatusCode.INTERNAL, "Internal error from Core")
_PATIENCE_SECONDS = 1.0


class Ending:
    """The status that a server sent for a call; make it before the first write.

    Where a write fails because the server has ended the call, grpc.aio puts a status of its own in the place of the
    server's (grpc/grpc#36066). Done callbacks are told of both, in the order in which they come.
    """

    def __init__(self, call: Any) -> None:
        self._told: asyncio.Future[grpc.aio.AioRpcError] = asyncio.get_running_loop().create_future()
        call.add_done_callback(self._tell)

    def _tell(self, call: Any) -> None:
        code, details = _now(call.code()), _now(call.details())
        if not self._told.done() and (code, details) != _OF_A_FAILED_WRITE:
            nothing, trailers = grpc.aio.Metadata(), _now(call.trailing_metadata())
            self._told.set_result(grpc.aio.AioRpcError(code, nothing, trailers, details))

    async def instead_of(self, error: grpc.RpcError) -> grpc.RpcError | None:
        """What the server said where the call raises `error`; None: that all is well. `error`, if it said nothing."""
        try:
            told = await asyncio.wait_for(self._told, _PATIENCE_SECONDS)
        except asyncio.TimeoutError:
            return error
        return None if told.code() is grpc.StatusCode.OK else told


def _now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that waits for nothing, as those of an ended call."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("the call has not ended")
