"""A worker in this process: the tasks of one file, executed for a server elsewhere.

Owns: which concrete classes work. Must never know: who watches over the process.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass

import anyio
import psutil
import structlog

from headrace.app.connecting import DEFAULT_PATIENCE, client
from headrace.app.home import Home
from headrace.app.settings import Settings
from headrace.app.surveying import left_as_it_is
from headrace.app.system import SystemChance
from headrace.errors import HeadraceError
from headrace.sdk import connection
from headrace.sdk.registry import registry
from headrace.sdk.sealing import Sealer
from headrace.wire.registration import Registration
from headrace.worker import Options, Outcome, Worker

MIB = 1 << 20
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.worker")


@dataclass(frozen=True, slots=True)
class Watcher:
    """Whom the worker tells how it is."""

    ready: Callable[[Registration], None]
    tired: Callable[[], None]


async def work(setting: Settings, home: Home, watcher: Watcher) -> Outcome:
    """Execute every task that has been imported, until SIGTERM, or until memory runs out."""
    registration = await asyncio.to_thread(registry.registration)
    sealer = await asyncio.to_thread(_sealer, setting, home)
    _say_what_stays()
    chance = SystemChance()
    options = Options(
        worker=f"worker_{chance.unique(8).hex()}",
        chance=chance,
        slots=setting.slots,
        strict=bool(setting.strict),
        evicts=setting.replays == "always",
        sealer=sealer,
        snapshots="always" if setting.snapshots == "always" else "warm",
        drops=is_key_shared(setting, home),
        memory_limit=setting.memory_mib * MIB or None,
        rss=lambda: psutil.Process().memory_info().rss,
        tired=watcher.tired,
        # The process ends right after, without asking the code of runs that were given back.
        unwinds=False,
    )
    api = client(setting, home, DEFAULT_PATIENCE)
    connection.configure(api=api)  # what a task looks up outside its journal, it asks here
    worker = Worker(api, registry.tasks, registration, options)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.drain)
    outcome: Outcome | HeadraceError = Outcome.DRAINED
    async with anyio.create_task_group() as group:
        group.start_soon(_tell, worker, registration, watcher)
        try:
            outcome = await worker.run()
        except HeadraceError as error:
            outcome = error  # raised below, not wrapped in a group
        group.cancel_scope.cancel()
    await api.aclose()
    if isinstance(outcome, HeadraceError):
        raise outcome
    return outcome


def is_key_shared(setting: Settings, home: Home) -> bool:
    """Tell whether the workers beside this one open what it saves.

    They do where the key was given, or lies in the home folder of the server that they work for.
    Behind a balancer they may be anywhere, also where its address is on this machine.
    """
    if setting.snapshot_keys or not setting.url:
        return True
    address = home.address()
    return address is not None and address.url == setting.url


def _sealer(setting: Settings, home: Home) -> Sealer | None:
    if setting.snapshots == "off" or setting.replays == "always":
        return None  # a run that is saved is not replayed
    return Sealer.of(setting.snapshot_keys or (home.made_snapshot_key(),))


def _say_what_stays() -> None:
    """Say of each task, and each function beside them, that its runs cannot be saved, and why."""
    for one in left_as_it_is(registry.tasks.values()):
        line = f"{one.file}:{one.line}"
        _log.warning(
            "a run that waits in it stays in memory", name=one.name, line=line, why=one.why
        )


async def _tell(worker: Worker, registration: Registration, watcher: Watcher) -> None:
    await worker.attached.wait()
    watcher.ready(registration)
