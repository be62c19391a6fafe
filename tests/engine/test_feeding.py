"""Feeds: a place is good for ever, a lost hint costs time only, and nothing is left behind."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial

import anyio
import pytest

from headrace.engine import readers, watching
from headrace.kernel.model import EnvId, Instant, Queued, Run, RunId, TaskId, outward
from headrace.ports import Draft, Order, Tagged
from headrace.wire.feeds import START, FeedPage, FeedQuery, Place, RunFeed, TagFeed
from tests.engine.house import DECLARED, PATIENCE_S, Ground, House

DEV = EnvId("dev")
OF_A = TagFeed(("a",))


async def _told(house: House, query: FeedQuery, place: Place = START) -> FeedPage:
    with anyio.fail_after(PATIENCE_S):
        return await house.api.feed(query, place)


class Followers:
    """Some who wait for news, each in its own task."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.told: list[FeedPage] = []

    async def follow(self, query: FeedQuery, place: Place) -> None:
        """Wait for one page."""
        self.told.append(await _told(self._house, query, place))

    async def stand(self, count: int) -> None:
        """Wait until so many wait."""
        await self._house.until(lambda: self._house.core.watch.count == count)


def _ids(page: FeedPage) -> set[str]:
    return {row.id for row in page.rows}


def _has(told: list[int], count: int) -> bool:
    return len(told) == count


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (readers, watching):
        monkeypatch.setattr(module, "RECHECK_S", 0.02)


@pytest.fixture
def _never(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (readers, watching):
        monkeypatch.setattr(module, "RECHECK_S", 3_600.0)


# --- lost hints --------------------------------------------------------------------------------


@pytest.mark.usefixtures("_soon")
async def test_a_change_that_nobody_hinted_at_is_told(house: House) -> None:
    run, others = await house.start(), [await house.start() for _ in range(3)]
    followers = Followers(house)
    async with anyio.create_task_group() as group:
        for name in (run, run, *others):
            place = (await _told(house, RunFeed(name))).place
            group.start_soon(followers.follow, RunFeed(name), place)
        await followers.stand(5)
        await house.stores.runs.metadata(RunId(run), b'{"by":"another process"}')
        await followers.stand(3)
        group.cancel_scope.cancel()
    assert [page.rows[0].metadata for page in followers.told] == [b'{"by":"another process"}'] * 2


@pytest.mark.usefixtures("_soon")
async def test_a_run_with_the_tags_that_nobody_hinted_at_is_told(house: House) -> None:
    followers, now = Followers(house), house.clock.now()
    async with anyio.create_task_group() as group:
        place = (await _told(house, OF_A)).place
        group.start_soon(followers.follow, OF_A, place)
        group.start_soon(
            followers.follow, TagFeed(("b",)), (await _told(house, TagFeed(("b",)))).place
        )
        await followers.stand(2)
        run = Run(RunId("run_elsewhere"), DEV, TaskId("work"), now, Queued(now), updated=now)
        await house.stores.runs.create(run, Order(tags=("a",)))
        await followers.stand(1)
        group.cancel_scope.cancel()
    assert [_ids(page) for page in followers.told] == [{"run_elsewhere"}]


@pytest.mark.usefixtures("_soon")
async def test_a_record_that_nobody_hinted_at_is_read(house: House) -> None:
    """Another process has appended it; the second one comes once the first was looked for."""
    run, now = RunId(await house.start()), house.clock.now()
    stream, told = outward("words"), list[int]()

    async def read() -> None:
        async with aclosing(house.api.tail(run, "words", inward=False)) as records:
            async for record in records:
                told.append(record.seq)

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        group.start_soon(read)
        for seq in range(3):
            await house.until(lambda: house.core.bells.count == 2)
            await house.stores.streams.append(Draft(run, stream, seq, b"1", now, b"", b""))
            await house.until(partial(_has, told, 2 * (seq + 1)))
        group.cancel_scope.cancel()
    assert told == [0, 0, 1, 1, 2, 2]
    assert house.core.bells.count == 0


# --- hints -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_never")
async def test_everybody_who_follows_is_told_at_once(house: House) -> None:
    run = await house.start(tags=["a", "b"])
    queries: list[FeedQuery] = [RunFeed(run), OF_A, TagFeed(("b",)), TagFeed(("b", "a"))]
    followers = Followers(house)
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            for query in queries * 5:
                group.start_soon(followers.follow, query, (await _told(house, query)).place)
            await followers.stand(20)
            await house.api.cancel(run)
    assert [_ids(page) for page in followers.told] == [{run}] * 20


@pytest.mark.usefixtures("_never")
async def test_who_follows_other_tags_is_left_alone(house: House) -> None:
    watch, now = house.core.watch, house.clock.now()
    with (
        watch.tags(Tagged(DEV, ("a",), Instant(0))) as wanted,
        watch.tags(Tagged(DEV, ("a", "c"), now)) as more,
        watch.tags(Tagged(DEV, ("c",), now)) as other,
    ):
        await house.start(tags=["b", "a"])
        await house.until(wanted.is_set)
        assert not more.is_set()
        assert not other.is_set()
    assert watch.count == 0


# --- what it costs -----------------------------------------------------------------------------


async def test_a_follower_has_no_task_but_his_own_and_leaves_nothing(house: House) -> None:
    run = await house.start(tags=["a"])
    place, of_a = (await _told(house, RunFeed(run))).place, (await _told(house, OF_A)).place
    followers, before = Followers(house), len(asyncio.all_tasks())
    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(followers.follow, RunFeed(run), place)
            group.start_soon(followers.follow, OF_A, of_a)
        await followers.stand(100)
        assert len(asyncio.all_tasks()) == before + 100
        group.cancel_scope.cancel()
    assert (house.core.watch.count, house.core.bells.count) == (0, 0)
    assert followers.told == []


# --- a server that is started again ------------------------------------------------------------


async def test_a_place_outlives_the_server(ground: Ground) -> None:
    async with ground.house("one") as house:
        await house.api.register(DECLARED)
        run, quiet = await house.start(tags=["a"]), await house.start(tags=["b"])
        queries: list[FeedQuery] = [RunFeed(run), OF_A]
        places = [(await _told(house, query)).place for query in queries]
        of_b = TagFeed(("b",))
        at_b = (await _told(house, of_b)).place
    async with ground.house("two") as house:
        for query, place in zip(queries, places, strict=True):
            assert not (await house.api.feed(query, place, wait=False)).rows
        await house.api.cancel(run)
        for query, place in zip(queries, places, strict=True):
            page = await _told(house, query, place)
            assert [(row.id, row.status) for row in page.rows] == [(run, "CANCELED")]
        assert not (await house.api.feed(of_b, at_b, wait=False)).rows
        await house.api.cancel(quiet)
        assert _ids(await _told(house, of_b, at_b)) == {quiet}


async def test_after_a_restart_only_what_is_new_is_told(ground: Ground) -> None:
    async with ground.house("one") as house:
        await house.api.register(DECLARED)
        runs = [await house.start(tags=["a"]) for _ in range(5)]
        place = (await _told(house, OF_A)).place
    async with ground.house("two") as house:
        await house.api.cancel(runs[2])
        page = await _told(house, OF_A, place)
        assert _ids(page) == page.known == {runs[2]}
        new = await house.start(tags=["a"])
        place = page.place
    async with ground.house("three") as house:
        page = await _told(house, OF_A, place)
        assert (_ids(page), len(page.known)) == ({new}, 0)
