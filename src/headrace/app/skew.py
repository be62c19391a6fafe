"""How far this machine's clock is from the database's, and what to say of it.

Owns: the bounds and the sentences. Must never know: what is done with time.

Whatever a server decides, it decides by the database's clock: timers, deadlines, leases, the end of
tokens. Its own clock only stamps its log, judges certificates, and tells us that something is
wrong: the same machine may well run workers and backends, which do go by it when they sign tokens
or turn "in five minutes" into a date.

APART_MS: whole seconds are what tokens end by, and what logs are compared by; a clock that is kept
by NTP is within a few hundredths. LATE_MS: a server knows the database's time as late as the way of
its best answer was long. Decision 0021 subtracts SKEW_MS from what Redis may say for this; beyond
it a message may be seen later than law 9 says.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio
import structlog

from headrace.app.system import wall_now
from headrace.backends.beside import beside
from headrace.errors import HeadraceError
from headrace.kernel.model import Instant
from headrace.ports import Stores

APART_MS: Final = 1_000
LATE_MS: Final = 200
EVERY_S: Final = 10.0
TRIES: Final = 3
NTP: Final = "keep the clock of every machine by NTP (chrony, systemd-timesyncd)"
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.app")


def apart(wall: Instant, store: Instant) -> str:
    """Say how far this machine's clock is from the database's, if it is too far."""
    ahead = wall - store
    if abs(ahead) <= APART_MS:
        return ""
    far = f"{abs(ahead) / 1_000:,.1f} s {'ahead of' if ahead > 0 else 'behind'}"
    return (
        f"the clock of this machine is {far} the database's, by which timers and tokens go: what is"
        f" dated or signed on the machine that is wrong ends at the wrong time; {NTP}"
    )


def late(way_ms: float) -> str:
    """Say that the database is too far away, if it is."""
    if way_ms <= LATE_MS:
        return ""
    return (
        f"the database takes {way_ms:,.0f} ms for an answer, and a server knows its time no better:"
        f" beyond {LATE_MS} ms a message may be seen late; run servers closer to their database"
    )


@asynccontextmanager
async def comparing(
    stores: Stores, *, wall: Callable[[], Instant] = wall_now, every_s: float = EVERY_S
) -> AsyncGenerator[None]:
    """Compare the clocks now, and while the block runs; say when one is wrong, and when no more."""
    told = _tell("", apart(wall(), stores.clock.now()))

    async def watch() -> None:
        about, far = told, ""
        while True:
            far = _tell(far, await _far(stores, far))
            await anyio.sleep(every_s)
            about = _tell(about, apart(wall(), stores.clock.now()))

    async with beside(watch):
        yield


async def _far(stores: Stores, before: str) -> str:
    """Say how long the quickest of a few answers took; what cannot be asked is as before."""
    ways = list[float]()
    for _ in range(TRIES):
        began = time.perf_counter()
        try:
            await stores.credentials.revision()
        except HeadraceError:
            return before
        ways.append((time.perf_counter() - began) * 1_000)
    return late(min(ways))


def _tell(before: str, now: str) -> str:
    """Say what has begun to be wrong, or that it is over; return what is wrong now."""
    if now and not before:
        _log.warning(now)
    elif before and not now:
        _log.warning(f"no more: {before.partition(':')[0]}")
    return now
