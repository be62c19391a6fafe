"""`python -m bench.measure`: what the parts of a shared installation take, each by itself.

Owns: the measurements that docs/concepts/scale.md starts from, on servers of our own.
Must never know: what a model makes of them.

Postgres, Redis and s2-lite stand on this machine: what a network adds is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import sys
import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol, cast

import asyncpg
import uvloop
from redis import Redis
from s2_sdk import metered_bytes

from bench.bottoms import dug
from bench.fleets import Size, standing
from bench.growth import Load, answered
from bench.machine import machine, whole_s
from bench.measure_page import Figure, Figures, put, shown
from bench.places import Corner, Ground, laid_out
from bench.samples import spread
from headrace.app.system import SystemChance
from headrace.backends.postgres import open_postgres
from headrace.backends.redis import open_redis
from headrace.backends.s2 import Patience, open_s2, place_of, sdk
from headrace.kernel.model import Instant, Run, RunId, later
from headrace.ports import Clock, Stores
from headrace.testing.contracts.given import APPROVAL, draft, executing, remembered

PLACE: Final = "postgres+redis+s2"
GROUP: Final = 100
SETTLED_S: Final = 10.5
"""So long Postgres may take to count what a connection has done that now does nothing."""
COMMITTED: Final = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
WRITTEN: Final = (
    "SELECT tup_inserted + tup_updated + tup_deleted FROM pg_stat_database"
    " WHERE datname = current_database()"
)
LOGGED: Final = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"
BODY: Final = b'{"approved":true,"reviewer":"alice","reason":"as was agreed on Monday"}'


@dataclass(frozen=True, slots=True)
class Parts:
    """The stores, and how often each thing is done."""

    stores: Stores
    corner: Corner
    count: int

    async def timed(self, act: Callable[[int], Awaitable[object]]) -> dict[str, float]:
        """Do it so often; return median and 99th percentile in ms."""
        taken = list[float]()
        for number in range(self.count):
            start = time.perf_counter()
            await act(number)
            taken.append((time.perf_counter() - start) * 1_000)
        return spread(taken)


async def floors(parts: Parts, folder: Path) -> list[Figure]:
    """Measure a commit of one row, and an append of one record, by the drivers alone."""
    async with dug(folder, parts.corner) as bottom:
        append = bottom.append
        if append is None:
            raise TypeError("streams are in the database")
        commits = await parts.timed(lambda _: bottom.commit())
        appends = await parts.timed(lambda _: append())
    return [
        *_both("commit of a row in Postgres", commits),
        *_both("append of a record to s2-lite", appends),
    ]


async def changes(parts: Parts) -> list[Figure]:
    """Measure Postgres' processor: changes of runs one by one, and in groups."""
    runs = await asyncio.gather(
        *[executing(parts.stores, f"run-{number}") for number in range(GROUP)]
    )
    pid, alone = parts.corner.behind["postgres"], list(runs)

    async def change(number: int) -> None:
        place = number % GROUP
        alone[place] = await _remember(parts.stores, alone[place], number)

    before = whole_s(pid)
    took = await parts.timed(change)
    single = (whole_s(pid) - before) / parts.count * 1e6
    before = whole_s(pid)
    for number in range(parts.count, parts.count + max(2, parts.count // 20)):
        alone = list(await asyncio.gather(*[_remember(parts.stores, run, number) for run in alone]))
    groups = max(2, parts.count // 20)
    grouped = (whole_s(pid) - before) / (groups * GROUP) * 1e6
    each = max(0.0, (GROUP * grouped - single) / (GROUP - 1))
    return [
        *_both("commit of a change, with an entry", took),
        Figure("Postgres' processor, a statement", max(0.0, single - each), "µs"),
        Figure("Postgres' processor, each change in it", each, "µs"),
    ]


async def _remember(stores: Stores, run: Run, number: int) -> Run:
    change = remembered(run, f"/step#{number}")
    await stores.runs.commit(change)
    return change.after


async def hints(parts: Parts) -> list[Figure]:
    """Measure a hint from one server to another, by Redis."""
    url, clock = parts.corner.redis, parts.stores.clock
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(open_redis(url, clock=clock, name="here"))
        there = await stack.enter_async_context(open_redis(url, clock=clock, name="there"))
        heard = await stack.enter_async_context(there.wakeups.listen())
        ready = RunId("ready")
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            knocking = group.create_task(_knocking(here.wakeups.announce, ready))
            async for run_id in heard:
                if run_id == ready:
                    break
            knocking.cancel()

        async def told(number: int) -> None:
            wanted = RunId(f"run_{number}")
            await here.wakeups.announce(wanted)
            async for run_id in heard:
                if run_id == wanted:
                    return

        took = await parts.timed(told)
        entry = RunId("run_" + "c" * 20 + "a1")
        await here.waitmap.live(entry, 7, _soon(clock))
        found = await parts.timed(lambda _: here.waitmap.where(entry))
        return [
            *_both("hint to another server by Redis", took),
            *_both("look-up in Redis", found),
            Figure("Redis' memory for an entry", _memory(url, entry), "bytes"),
        ]


async def _knocking(announce: Callable[[RunId], Awaitable[None]], run_id: RunId) -> None:
    """Announce until somebody hears it: who listens may not be there yet."""
    while True:
        await announce(run_id)
        await asyncio.sleep(0.05)


def _soon(clock: Clock) -> Instant:
    return later(clock.now(), 1_500)


def _memory(url: str, run_id: RunId) -> float:
    # The driver says nothing about the types.
    client = cast("_Client", cast("Any", Redis).from_url(url))
    try:
        keys = cast("list[bytes]", client.execute_command("KEYS", f"*{run_id}"))
        return float(cast("int", client.execute_command("MEMORY", "USAGE", keys[0])))
    finally:
        client.close()


async def streams(parts: Parts) -> list[Figure]:
    """Measure reads at the end of a stream in S2, and what a record weighs there."""
    url = parts.corner.streams
    async with open_s2(url, parts.stores, SystemChance()) as stores:
        run = await executing(stores, "run-s2")
        for number in range(3):
            key = b"%016d" % number
            await stores.streams.append(draft(run, number, BODY, key=key, digest=key))
        took = await parts.timed(lambda _: stores.streams.read(run.id, APPROVAL, 3, 1))
    place = place_of(url)
    client = sdk.client_of(place, Patience())
    try:
        basin = client.basin(place.basin)
        names = [each.name for each in (await basin.list_streams(prefix=place.prefix)).items]
        name = next(name for name in names if run.id in name)
        limit = sdk.ReadLimit(count=1)
        batch = await basin.stream(name).read(start=sdk.SeqNum(1), limit=limit)
    finally:
        await client.close()
    return [
        *_both("read at the end of a stream in s2-lite", took),
        Figure("record in S2, as it is metered", float(metered_bytes(batch.records)), "bytes"),
    ]


async def writes(ground: Ground, on: str, runs: int) -> list[Figure]:
    """Count what Postgres commits, changes and logs for a run that waits and is answered once."""
    corner = await ground.corner(on)
    async with standing(Size(1, 2), corner) as fleet:
        await answered(fleet, Load(max(10, runs // 10), math.inf))
        before = await _counters(corner.database)
        await answered(fleet, Load(runs, math.inf))
        after = await _counters(corner.database)
    commits, rows, logged = ((b - a) / runs for a, b in zip(before, after, strict=True))
    return [
        Figure("commits and looks in Postgres, each answered run", commits, "transactions"),
        Figure("rows written in Postgres, each answered run", rows, "rows"),
        Figure("Postgres' log, each answered run", logged, "bytes"),
    ]


async def _counters(dsn: str) -> tuple[float, float, float]:
    await asyncio.sleep(SETTLED_S)
    connection = await asyncpg.connect(dsn)
    try:
        counted = [await connection.fetchval(each) for each in (COMMITTED, WRITTEN, LOGGED)]
        commits, rows, logged = (float(cast("float", each)) for each in counted)
        return commits, rows, logged
    finally:
        await connection.close()


def _both(name: str, took: Mapping[str, float]) -> list[Figure]:
    return [Figure(f"{name}, {which}", ms, "ms") for which, ms in took.items()]


async def measured(ground: Ground, count: int, runs: int) -> list[Figure]:
    """Measure everything, one after another."""
    corner = await ground.corner(PLACE)
    with TemporaryDirectory(prefix="headrace-bench-") as folder:
        async with open_postgres(corner.database) as stores:
            parts = Parts(stores, corner, count)
            async with open_s2(corner.streams, stores, SystemChance()):
                pass  # makes sure of the basin
            found = await floors(parts, Path(folder))
            found += await changes(parts)
            found += await hints(parts)
            found += await streams(parts)
    return found + await writes(ground, "postgres+redis", runs)


def main(arguments: Sequence[str]) -> int:
    """Measure, show, and write down."""
    parser = argparse.ArgumentParser("python -m bench.measure", description="What the parts take.")
    parser.add_argument("--count", type=int, default=1_000, help="how often each thing is done")
    parser.add_argument("--runs", type=int, default=1_000, help="runs whose writes are counted")
    parser.add_argument("--write", action="store_true", help="put it into the docs")
    options = parser.parse_args(arguments)
    with laid_out([PLACE]) as ground:
        found = uvloop.run(measured(ground, options.count, options.runs))
    with TemporaryDirectory(prefix="headrace-bench-") as folder:
        described = machine(Path(folder))
    figures = Figures(
        at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        command=" ".join(["python -m bench.measure", *arguments]),
        machine=described,
        figures=found,
        load=os.getloadavg()[0],
    )
    print(shown(figures))
    if options.write:
        put(figures)
    return 0


class _Client(Protocol):
    """What is used of the driver, which says nothing of its types here."""

    @abstractmethod
    def execute_command(self, *parts: str | bytes) -> object: ...
    @abstractmethod
    def close(self) -> None: ...


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
