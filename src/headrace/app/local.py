"""A whole Headrace in this process: an engine on memory, and a worker for the imported tasks.

For tests of tasks; nothing is durable. Owns: which concrete classes play which part.
Must never know: what is tested, or when time passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from headrace.app.system import SystemChance
from headrace.backends.memory import open_memory
from headrace.engine import Keyring, open_engine
from headrace.kernel.model import EnvId
from headrace.ports import Api, Chance, Clock, Stores
from headrace.sdk import connection
from headrace.sdk.execution_life import Snapshots
from headrace.sdk.registry import registry
from headrace.sdk.retrying import pauses
from headrace.sdk.sealing import Sealer
from headrace.wire.keys import RANDOM_BYTES, root_key
from headrace.wire.registration import TaskSpec
from headrace.wire.vault import Vault
from headrace.worker import Options, Worker

ENV: Final = EnvId("test")


class Runnable(Protocol):
    """A task."""

    @property
    def id(self) -> str:
        """Return the task's id."""
        ...

    @property
    def spec(self) -> TaskSpec:
        """Return what the task declares."""
        ...

    async def execute(self, payload: bytes) -> bytes:
        """Run the task."""
        ...


@dataclass(frozen=True, slots=True)
class Local:
    """What runs."""

    api: Api
    stores: Stores
    worker: Worker


@asynccontextmanager
async def open_local(
    clock: Clock,
    tasks: Sequence[Runnable] = (),
    *,
    evicts: bool = False,
    snapshots: Snapshots = "warm",
) -> AsyncGenerator[Local]:
    """Run all of it while the block lasts; the sdk talks to it. No `tasks` means all imported.

    With `evicts` a run is put away whenever it waits, so that it goes on by replay; with
    `snapshots="always"` it is saved then, and goes on from there.
    """
    served = {task.id: task for task in tasks} or dict(registry.imported)
    registration = await asyncio.to_thread(registry.registration, tuple(served.values()))
    chance = SystemChance()
    options = Options(
        worker=f"worker_{chance.unique(8).hex()}",
        chance=chance,
        evicts=evicts,
        strict=True,
        sealer=Sealer((chance.unique(32),)),
        snapshots=snapshots,
    )
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_memory(clock))
        engine = await stack.enter_async_context(
            open_engine(stores, chance, keyring=_ring(stores, chance))
        )
        api = engine.at(ENV)
        connection.configure(api=api)
        worker = Worker(api, served, registration, options)
        pauses.sleep = _no_time
        try:
            async with _working(worker):
                yield Local(api, stores, worker)
        finally:
            pauses.sleep = asyncio.sleep
            connection.configure()


def _ring(stores: Stores, chance: Chance) -> Keyring:
    """Return a ring with a root key of its own, so that tokens can be signed."""
    vault, key = Vault(chance.unique(32)), root_key(ENV, chance.unique(RANDOM_BYTES))
    return Keyring(stores.credentials, vault, stores.clock, {ENV: (key,)})


async def _no_time(_seconds: float) -> None:
    """Let a step try again at once."""
    await asyncio.sleep(0)


@asynccontextmanager
async def _working(worker: Worker) -> AsyncGenerator[None]:
    async with asyncio.TaskGroup() as group:
        working = group.create_task(worker.run())
        await worker.attached.wait()
        try:
            yield
        finally:
            working.cancel()
