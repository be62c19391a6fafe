"""A worker that a test moves by hand: it posts what it is told and shows what was pushed.

Must never know: how a real worker works.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio

from headrace.ports import Channel, WorkApi
from headrace.wire.channel import Assigned, Fenced, Hello, Holding, Operation, Push

P = TypeVar("P", bound=Push)
PATIENCE_S = 10.0


class Puppet:
    """One attached worker."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._pushes: AsyncIterator[Sequence[Push]] = channel.pushes
        self._seen: list[Push] = []

    def post(self, *operations: Operation) -> None:
        """Hand operations over, in one go."""
        self._channel.post(operations)

    async def pushed(self, kind: type[P], run: str) -> P:
        """Wait for the next push of this kind about the run; others keep their place."""
        with anyio.fail_after(PATIENCE_S):
            while True:
                for push in self._seen:
                    if isinstance(push, kind) and push.run == run:
                        self._seen.remove(push)
                        return push
                self._seen += await anext(self._pushes)

    async def assigned(self, run: str) -> Assigned:
        """Wait for the run to be given to this worker."""
        return await self.pushed(Assigned, run)

    async def fenced(self, run: str) -> Fenced:
        """Wait to be told that the run is not this worker's."""
        return await self.pushed(Fenced, run)

    async def ended(self) -> None:
        """Wait for the end of the attachment."""
        with anyio.fail_after(PATIENCE_S):
            async for _ in self._pushes:
                pass


@asynccontextmanager
async def working(
    api: WorkApi,
    *tasks: str,
    worker: str = "worker_1",
    slots: int = 8,
    holdings: Sequence[Holding] = (),
) -> AsyncGenerator[Puppet]:
    """Attach a puppet that takes runs of these tasks."""
    hello = Hello(worker=worker, version="1", tasks=tasks, slots=slots, holdings=tuple(holdings))
    async with api.attach(hello) as channel:
        yield Puppet(channel)
