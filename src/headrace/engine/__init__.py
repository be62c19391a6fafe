"""The only writer of runs: load, decide, commit, tell.

`open_engine` starts it; `Engine.at` gives the use cases of one environment.
Must never know: HTTP, sockets, which backend it stands on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import structlog

from headrace.engine import tokens
from headrace.engine.api import EnvApi
from headrace.engine.core import Core
from headrace.engine.dispatch import Dispatch, Timer, Warden
from headrace.engine.hearing import Hearing
from headrace.engine.keyring import Keyring
from headrace.engine.keys import Keeper
from headrace.engine.rechecking import Rechecking
from headrace.engine.signing import Sign, Signer
from headrace.engine.sweeping import Sweeper
from headrace.errors import HeadraceError
from headrace.kernel.model import EnvId
from headrace.ports import Chance, Stores, Ticket
from headrace.wire.vault import Vault

PAUSE_S = 0.5
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.engine")


class Engine:
    """All environments of one store."""

    def __init__(self, core: Core, sign: Sign) -> None:
        self._core, self._sign = core, sign

    def at(
        self,
        env: EnvId,
        *,
        trusted: bool = True,
        ticket: Ticket | None = None,
        skips: Sequence[str] | None = None,
    ) -> EnvApi:
        """Return the use cases of `env`; see `EnvApi` for the rest."""
        return EnvApi(self._core, env, self._sign, trusted=trusted, ticket=ticket, skips=skips)

    @property
    def followers(self) -> int:
        """Return how many questions about runs are held until something changes."""
        return self._core.watch.count

    @property
    def listeners(self) -> int:
        """Return how many wait for news of a run, those who read its streams included."""
        return self._core.bells.count

    async def call_back(self, token: str, proof: str, data: bytes) -> None:
        """Complete a token of whichever environment, whose address proves itself."""
        await tokens.call_back(self._core, token, proof, data)


def unsigned(_env: EnvId, _id: str, _skips: Sequence[str] | None = None) -> str:
    """Give no public token: for an engine without keys."""
    return ""


async def _steadily(loop: Callable[[], Awaitable[None]]) -> None:
    """Keep a loop of the engine alive while the store has trouble."""
    while True:
        try:
            await loop()
        except HeadraceError as error:
            _log.warning("the store failed; trying again", error=str(error), part=loop.__qualname__)
            await asyncio.sleep(PAUSE_S)


@asynccontextmanager
async def open_engine(
    stores: Stores, chance: Chance, sign: Sign = unsigned, *, keyring: Keyring | None = None
) -> AsyncGenerator[Engine]:
    """Run the engine on `stores` for as long as the context lasts.

    Without a `keyring`, what keys are made can be opened by this engine only, and only it can tell
    the addresses of its tokens again.
    Workers known from before have the time of a lease to come back, unless another engine serves.
    """
    group = asyncio.TaskGroup()
    is_shared = keyring is not None
    ring = keyring or Keyring(stores.credentials, Vault(chance.unique(32)), stores.clock)
    await ring.refresh()
    core = Core(stores, chance, group, ring)
    try:
        async with group:
            loops = [
                Hearing(core).run,
                core.watch.tell,
                core.watch.recheck,
                core.readers.recheck,
                Dispatch(core).run,
                Timer(core).run,
                Warden(core).run,
                Sweeper(core).run,
                Rechecking(core).run,
                core.herald.run,
                core.onlookers.run,
            ]
            if is_shared:
                loops.append(ring.watch)
            running = [group.create_task(_steadily(loop)) for loop in loops]
            try:
                yield Engine(core, sign)
            finally:
                for seat in core.seats.all():
                    core.seats.remove(seat)
                for task in running:
                    task.cancel()
    finally:
        core.close()


__all__ = ["Engine", "EnvApi", "Keeper", "Keyring", "Signer", "open_engine", "unsigned"]
