"""What 10,000 waiting runs cost on disk."""

import asyncio
from dataclasses import replace
from pathlib import Path

from headrace.backends.sqlite import open_sqlite
from headrace.kernel import commands as c
from headrace.kernel.commands import Change
from headrace.kernel.machine import decide
from headrace.kernel.model import (
    Delayed,
    Footing,
    Function,
    Key,
    Run,
    RunId,
    Wait,
    Waiting,
    inward,
    later,
)
from headrace.ports import Debouncing, Order
from headrace.testing.contracts.given import claimed, queued
from tests.sqlite.raw import raw

RUNS = 10_000
SAVED_RUNS = 2_000
STOOD = Footing("3.13", (Function("tasks:publish_post", "0123456789abcdef01234567"),))
WEEK_MS = 7 * 24 * 3_600_000


def waiting(run: Run) -> Run:
    """Return `run` as it is when it waits, cold, for an approval."""
    held = claimed(run).after
    wait = Wait(
        Key("/approval#0"),
        inward("approval"),
        later(run.created, WEEK_MS),
        fingerprint="a1b2c3d4",
        line="tasks.py:12",
    )
    standing = decide(held, c.Stand(held.epoch, wait), run.created).after
    parked = decide(standing, c.Park(held.epoch, standing.entries), run.created).after
    return replace(decide(parked, c.Release(held.epoch), run.created).after, version=1)


async def test_a_waiting_run_costs_at_most_600_bytes(tmp_path: Path) -> None:
    file = tmp_path / "headrace.db"
    async with open_sqlite(file) as stores:

        async def start(n: int) -> None:
            run = queued(f"run_{n * 7_919 % RUNS:022d}", at=stores.clock.now())
            order = Order(
                payload=b'{"title": "Water mills", "author": "alice", "words": %5d}' % n,
                request_key=f"{n:08x}-89ab-cdef-0123-456789abcdef",
                request_until=later(run.created, WEEK_MS),
            )
            await stores.runs.create(run, order)
            await stores.runs.commit(Change(run, waiting(run)))

        for n in range(0, RUNS, 500):
            await asyncio.gather(*map(start, range(n, n + 500)))
        some = await stores.runs.load(RunId(f"run_{17:022d}"))
        assert some is not None
        assert some.state == Waiting(None)
        assert len(some.waits) == 1
    assert file.stat().st_size / RUNS <= 600


async def test_what_a_snapshot_stands_on_costs_at_most_40_bytes_a_run(tmp_path: Path) -> None:
    bare, told = tmp_path / "bare.db", tmp_path / "told.db"
    await _saved(bare, None)
    await _saved(told, STOOD)
    assert (told.stat().st_size - bare.stat().st_size) / SAVED_RUNS <= 40


async def _saved(file: Path, footing: Footing | None) -> None:
    """Write a file with runs that have left, each with a snapshot of its own."""
    async with open_sqlite(file) as stores:

        async def leave(n: int) -> None:
            run = waiting(queued(f"run_{n:022d}", at=stores.clock.now()))
            await stores.runs.create(run, Order())
            after = replace(run, saved=run.entries, version=run.version + 1)
            await stores.runs.commit(Change(run, after, saved=b"%0130d" % n, footing=footing))

        for n in range(0, SAVED_RUNS, 500):
            await asyncio.gather(*map(leave, range(n, n + 500)))


async def test_a_run_that_has_begun_leaves_no_debounce_key(tmp_path: Path) -> None:
    file = tmp_path / "headrace.db"
    order = Order(debounce=Debouncing("k"))
    async with open_sqlite(file) as stores:
        commands: tuple[c.Command, ...] = (c.Elapse(), c.Cancel(0))
        for n, command in enumerate(commands):
            run = queued(f"run-{n}")
            delayed = replace(run, state=Delayed(later(run.created, 5_000)))
            assert not (await stores.runs.create(delayed, order)).cached
            end = later(run.created, 5_000)
            await stores.runs.commit(decide(delayed, command, end))
    with raw(file) as db:
        assert db.execute("SELECT count(*) FROM taken").fetchall() == [(0,)]
