# SPDX-License-Identifier: Apache-2.0
"""Both clients behind one face, so that one test holds for both."""
import asyncio
import threading

import pytest

from objectdino import AsyncGroundingClient, GroundingClient


class Blocking:
    """AsyncGroundingClient, used from code that is not asynchronous. Its loop runs on a thread, so that what a call has
    begun goes on between two calls."""

    def __init__(self, *arguments, **options):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._client = self.wait(self._made(*arguments, **options))

    @staticmethod
    async def _made(*arguments, **options):
        return AsyncGroundingClient(*arguments, **options)

    def wait(self, awaitable):
        async def waited():
            return await awaitable
        return asyncio.run_coroutine_threadsafe(waited(), self._loop).result()

    def _each(self, iterator):
        try:
            while True:
                try:
                    yield self.wait(anext(iterator))
                except StopAsyncIteration:
                    return
        finally:
            self.wait(iterator.aclose())

    def __getattr__(self, name):
        method = getattr(self._client, name)
        if name in ("ground_many", "stream"):
            return lambda *arguments, **options: self._each(method(*arguments, **options))
        return lambda *arguments, **options: self.wait(method(*arguments, **options))

    def close(self):
        self.wait(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(params=["sync", "async"])
def connect(request):
    """Makes clients: connect(target, **options). They are closed after the test."""
    made = []

    def connect(target, **options):
        options.setdefault("timeout", 30)
        made.append((GroundingClient if request.param == "sync" else Blocking)(target, **options))
        return made[-1]

    yield connect
    for client in made:
        client.close()
