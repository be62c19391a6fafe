"""A second server costs few looks: each reads the run that another has changed once.

Counted are the statements, not the time that they take.
"""

from __future__ import annotations

from typing import Any

import pytest

from headrace.backends.postgres.database import Database
from headrace.backends.postgres.queries import SQL
from headrace.engine.desk import look
from headrace.kernel.model import RunId, inward
from headrace.ports import Draft
from headrace.testing.clock import ManualClock
from headrace.wire.channel import Unread
from tests.engine.worker import attached, parked
from tests.servers.town import Site, at_rest, town

NAMES = {text: name for name, text in SQL.items()}
LOOKS = {"select_run", "select_entries", "select_all_ends", "select_records", "select_sight"}


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which statements have looked at a run, in order."""
    asked, inner = list[str](), Database.rows

    async def rows(self: Database, sql: str, *values: Any) -> Any:
        asked.extend({NAMES[sql]} & LOOKS)
        return await inner(self, sql, *values)

    monkeypatch.setattr(Database, "rows", rows)
    return asked


@pytest.fixture
def place(database: str) -> Site:
    return Site(ManualClock(), database)


async def test_who_answers_and_who_tells_the_worker_look_once_each(
    place: Site, looks: list[str]
) -> None:
    async with town(place) as (here, there), attached(here) as worker:
        job = await parked(here, await worker.job(await here.start()))
        await at_rest(here, there)
        looks.clear()
        assert (await there.api.send(job.run, "notes", b"7")).resumed
        assert (await job.told()).body == b"7"
        await at_rest(here, there)
        assert looks == ["select_sight", "select_sight"]


async def test_who_has_the_worker_knows_the_run(place: Site, looks: list[str]) -> None:
    async with town(place) as (here, there), attached(here) as worker:
        job = await parked(here, await worker.job(await here.start()))
        await at_rest(here, there)
        looks.clear()
        await here.api.send(job.run, "notes", b"7")
        await job.told()
        await at_rest(here, there)
        assert looks == ["select_all_ends"]


async def test_a_wait_in_memory_is_answered_from_elsewhere_with_as_few(
    place: Site, looks: list[str]
) -> None:
    async with town(place) as (here, there), attached(here) as worker:
        job = await worker.job(await here.start())
        for n in range(3):
            job.stand("notes", f"/q#{n}", held=False)
            await at_rest(here, there)
            looks.clear()
            await there.api.send(job.run, "notes", b"7")
            assert (await job.told()).body == b"7"
            await at_rest(here, there)
            assert set(looks) == {"select_sight", "select_records"}, looks


async def test_what_was_seen_is_not_taken_for_what_is(place: Site) -> None:
    async with town(place) as (here, there), attached(here) as worker:
        job = await worker.job(await here.start())
        await there.api.send(job.run, "notes", b"7")
        assert (await job.heard(Unread)).seq == 0
        await at_rest(here, there)
        draft = Draft(RunId(job.run), inward("notes"), 1, b"8", here.core.now(), b"", b"")
        await here.stores.streams.append(draft)
        await here.core.post(RunId(job.run), look)
        assert (await job.heard(Unread)).seq == 1
