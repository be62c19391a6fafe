"""A server in this process: store, engine, HTTP, and the socket file for workers.

Owns: which concrete classes serve. Must never know: workers, commands.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.lowlevel

from headrace.app.home import Address, Home
from headrace.app.keeping import given_env, vault_of
from headrace.app.settings import Settings, is_shared
from headrace.app.sharing import (
    agree_on_master,
    agree_on_root,
    agree_on_streams,
    demand_given,
    streams_of,
)
from headrace.app.skew import comparing
from headrace.app.storing import Kept, keeping
from headrace.app.system import SystemChance
from headrace.engine import Engine, Keyring, Signer, open_engine
from headrace.kernel.model import EnvId
from headrace.ports import Api, Stores
from headrace.server import Door, Leaving, Rates, serve, serve_unix
from headrace.wire.vault import Vault

NOTICE_S: Final = 1.0
"""How long a server among others goes on taking requests: a balancer is to notice before."""
LONGEST_SOCKET: Final = 100
"""What every system takes as the path of a socket file."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs, and where it keeps what."""

    url: str
    database: str
    key_path: Path | None
    """Where the key is kept; `None` if the environment gave it."""
    api: Api
    redis: str = ""
    streams: str = ""
    """Where the streams are, if that is not the database."""
    leave: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint
    """Be no longer healthy, so that a balancer sends nobody here; returns when it may have seen."""


@asynccontextmanager
async def serving(
    setting: Settings, home: Home, *, wait_for_tasks: bool = False
) -> AsyncGenerator[Served]:
    """Serve until the block ends. `wait_for_tasks`: healthy only once a worker has registered."""
    demand_given(setting)
    async with _owned(home):
        key = setting.key or await anyio.to_thread.run_sync(home.made_key)
        vault = await anyio.to_thread.run_sync(vault_of, setting, home)
        env = given_env(key)
        async with (
            keeping(setting, home) as kept,
            _agreed(setting, kept, vault, (env, key)),
            _engine(kept.stores, vault, {env: (key,)}) as (engine, ring),
        ):
            api = engine.at(env)

            async def is_ready() -> bool:
                if leaving.is_leaving:
                    return False
                return not wait_for_tasks or bool((listed := await api.listing()) and listed.tasks)

            door = Door(
                engine,
                ring,
                clock=kept.stores.clock,
                chance=SystemChance(),
                ready=is_ready,
                rates=Rates(tokens=setting.token_rate, keys=setting.key_rate),
            )
            leaving, chosen = Leaving(door), bool(setting.key)
            leave = partial(_leave, leaving, is_balanced=is_shared(kept.database))
            async with serve(
                leaving, host=setting.host, port=setting.port, is_key_given=chosen
            ) as port:
                url = f"http://{_shown(setting.host)}:{port}"
                async with _published(home, url, api, env):
                    key_path = None if setting.key else home.key_path
                    yield Served(url, kept.database, key_path, api, kept.redis, kept.streams, leave)


async def _leave(leaving: Leaving, *, is_balanced: bool) -> None:
    leaving.is_leaving = True
    if is_balanced:
        await anyio.sleep(NOTICE_S)


@asynccontextmanager
async def _agreed(
    setting: Settings, kept: Kept, vault: Vault, given: tuple[EnvId, str]
) -> AsyncGenerator[None]:
    """Refuse what servers on one database disagree on, and watch their clocks."""
    await agree_on_streams(kept.stores.blobs, streams_of(setting))
    if not is_shared(setting.database):
        yield
        return
    await agree_on_master(kept.stores.blobs, vault)
    await agree_on_root(kept.stores.blobs, setting, *given)
    async with comparing(kept.stores):
        yield


@asynccontextmanager
async def _engine(
    stores: Stores, vault: Vault, given: Mapping[EnvId, Sequence[str]]
) -> AsyncGenerator[tuple[Engine, Keyring]]:
    chance = SystemChance()
    ring = Keyring(stores.credentials, vault, stores.clock, given)
    signer = Signer(ring, stores.clock, chance)
    async with open_engine(stores, chance, signer, keyring=ring) as engine:
        yield engine, ring


@asynccontextmanager
async def _owned(home: Home) -> AsyncGenerator[None]:
    await anyio.to_thread.run_sync(home.make)
    lock = await anyio.to_thread.run_sync(home.lock)
    try:
        yield
    finally:
        lock.release()


@asynccontextmanager
async def _published(home: Home, url: str, api: Api, env: EnvId) -> AsyncGenerator[None]:
    """Open the socket file where its path is short enough, and let others find the server."""
    socket = home.socket_path.absolute()
    fits = len(os.fsencode(socket)) <= LONGEST_SOCKET
    address = Address(url=url, pid=os.getpid(), socket=str(socket) if fits else "", env=env)
    async with serve_unix(socket, api) if fits else nullcontext():
        await anyio.to_thread.run_sync(home.publish, address)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(home.withdraw)


def _shown(host: str) -> str:
    match host:
        case "0.0.0.0" | "":  # noqa: S104 - shown, not bound
            return "127.0.0.1"
        case "::":
            return "[::1]"
        case _:
            return f"[{host}]" if ":" in host else host
