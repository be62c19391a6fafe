"""What the tests of saved runs share: a scene of real tasks, and a post that can be held up.

Must never know: what is tested.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Final

import msgspec

from headrace.kernel.model import Run, RunId
from headrace.ports import Channel, WorkApi
from headrace.sdk.execution import Runnable
from headrace.wire.channel import Hello, Operation, Push
from headrace.wire.registration import Registration
from headrace.wire.views import RunView
from tests.worker.scene import SAVING, Scene, setting

LATER: Final = replace(SAVING, snapshots="warm")


def scene_of(*served: Runnable) -> AbstractAsyncContextManager[Scene]:
    return setting(*served, inputs=("number", "other"))


async def known(scene: Scene, run: str) -> Run:
    found = await scene.stores.runs.load(RunId(run))
    assert found is not None
    return found


async def sent(scene: Scene, run: str, value: int, stream: str = "number") -> None:
    await scene.api.send(run, stream, b"%d" % value)
    await scene.calm()


async def started(scene: Scene, task: str, payload: bytes = b"1") -> str:
    run = await scene.start(task, payload)
    await scene.calm()
    return run


def output(view: RunView) -> object:
    assert view.status == "COMPLETED", (view.error, view.blocked)
    assert not isinstance(view.output, msgspec.UnsetType)
    return msgspec.json.decode(view.output)


class Post:
    """A `WorkApi` whose frames and pushes stop on their way until they are let through."""

    def __init__(self, api: WorkApi) -> None:
        self._api = api
        self.takes, self.gives = asyncio.Event(), asyncio.Event()
        self.takes.set()
        self.gives.set()
        self.said: list[Operation] = []
        self.told: list[Push] = []
        self.held: type[Push] | None = None
        """What alone is held up, if only one kind of push is."""
        self._cut = asyncio.Event()
        self.kept: list[Operation] = []

    async def register(self, registration: Registration) -> None:
        await self._api.register(registration)

    async def listing(self) -> Registration | None:
        return await self._api.listing()

    @asynccontextmanager
    async def attach(self, hello: Hello) -> AsyncGenerator[Channel]:
        async with self._api.attach(hello) as channel:
            self._cut = asyncio.Event()
            yield Held(channel, self, self._cut)

    def cut(self) -> None:
        """End the connection; what was held is lost."""
        self.kept.clear()
        self._cut.set()
        self.takes.set()
        self.gives.set()


class Held:
    """One attachment of a `Post`."""

    def __init__(self, channel: Channel, post: Post, cut: asyncio.Event) -> None:
        self._channel, self._post, self._cut = channel, post, cut

    def post(self, operations: Sequence[Operation]) -> None:
        self._post.said.extend(operations)
        if self._cut.is_set():
            return
        if self._post.takes.is_set():
            self._channel.post([*self._post.kept, *operations])
            self._post.kept.clear()
        else:
            self._post.kept.extend(operations)

    @property
    def pushes(self) -> AsyncIterator[Sequence[Push]]:
        return self._read()

    async def _read(self) -> AsyncGenerator[Sequence[Push]]:
        coming = aiter(self._channel.pushes)
        while True:
            async with asyncio.TaskGroup() as group:
                batch = group.create_task(_next(coming))
                cut = group.create_task(self._cut.wait())
                await asyncio.wait((batch, cut), return_when=asyncio.FIRST_COMPLETED)
                batch.cancel()
                cut.cancel()
            if self._cut.is_set() or batch.cancelled():
                return
            pushes = batch.result()
            if self._post.held is None or any(isinstance(p, self._post.held) for p in pushes or ()):
                await self._post.gives.wait()
            if pushes is None or self._cut.is_set():
                return
            self._post.told.extend(pushes)
            yield pushes


async def _next(coming: AsyncIterator[Sequence[Push]]) -> Sequence[Push] | None:
    return await anext(coming, None)
