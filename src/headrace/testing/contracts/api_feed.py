"""What every `Api` promises to those who follow runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from headrace.errors import BadRequest, NotFound
from headrace.ports import Api
from headrace.testing.contracts.declared import Declared, order
from headrace.testing.contracts.puppet import PATIENCE_S, working
from headrace.wire.channel import Completed, Emitted, Noted
from headrace.wire.feeds import START, FeedPage, FeedQuery, Place, RunFeed, TagFeed


@asynccontextmanager
async def news(api: Api, query: FeedQuery, place: Place) -> AsyncGenerator[list[FeedPage]]:
    """Wait for news of what the block does; they are in the list behind it."""
    found = list[FeedPage]()

    async def follow() -> None:
        found.append(await api.feed(query, place))

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            yield found


async def told(api: Api, query: FeedQuery, place: Place = START) -> FeedPage:
    """Return the next page, which comes in a while."""
    with anyio.fail_after(PATIENCE_S):
        return await api.feed(query, place)


def _statuses(page: FeedPage) -> dict[str, str]:
    return {row.id: row.status for row in page.rows}


class FeedApiContract(Declared):
    """Following one run, or all with a tag."""

    # --- one run -------------------------------------------------------------------------------

    async def test_a_feed_of_a_run_begins_with_the_run(self, known: Api) -> None:
        started = await known.trigger(
            "publish", order(b"7", tags=['a "\\,', "ä"], metadata={"k": 1})
        )
        page = await told(known, RunFeed(started.id))
        (row,) = page.rows
        assert (row.id, row.task, row.status) == (started.id, "publish", "PENDING")
        assert row.tags == ('a "\\,', "ä")
        assert (row.payload, row.metadata, row.output) == (b"7", b'{"k":1}', b"")
        assert (row.queued, row.started, row.ended) == (row.created, None, None)
        assert (page.known, page.more) == (frozenset(), False)

    async def test_where_nothing_is_new_there_is_nothing_at_once(self, known: Api) -> None:
        query = RunFeed((await known.trigger("publish", order())).id)
        place = (await told(known, query)).place
        assert await known.feed(query, place, wait=False) == FeedPage(place)

    async def test_each_change_of_a_run_is_told(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        pages = [await told(known, RunFeed(run))]

        async def look() -> None:
            pages.append(await told(known, RunFeed(run), pages[-1].place))

        async with working(known, "publish") as puppet:
            epoch = (await puppet.assigned(run)).epoch
            await look()
            puppet.post(Noted(run, epoch, "step", b"2"))
            await look()
            puppet.post(Emitted(run, epoch, "progress", "0/progress#0/0", b"1"))
            await look()
            puppet.post(Completed(run, epoch, b"42"))
            await look()
        rows = [page.rows[0] for page in pages]
        statuses = ["PENDING", "EXECUTING", "EXECUTING", "EXECUTING", "COMPLETED_SUCCESSFULLY"]
        assert [row.status for row in rows] == statuses
        assert [row.metadata for row in rows] == [b"", b"", *[b'{"step":2}'] * 3]
        assert [row.streams for row in rows] == [(), (), (), ("progress",), ("progress",)]
        assert [row.output for row in rows] == [b"", b"", b"", b"", b"42"]
        assert rows[-1].ended is not None
        assert [page.known for page in pages] == [frozenset(), *[frozenset({run})] * 4]

    async def test_a_run_that_is_cancelled_says_why_it_ended(self, known: Api) -> None:
        query = RunFeed((await known.trigger("publish", order())).id)
        place = (await told(known, query)).place
        async with news(known, query, place) as found:
            await known.cancel(query.run_id)
        (row,) = found[0].rows
        assert row.status == "CANCELED"
        assert b"TASK_RUN_CANCELLED" in row.error

    async def test_a_place_of_no_time_gives_the_run(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        page = await told(known, RunFeed(run), Place("", "77_77"))
        assert _statuses(page) == {run: "PENDING"}

    async def test_nobody_can_be_followed_who_is_not_there(self, known: Api) -> None:
        with pytest.raises(NotFound, match="run_nobody"):
            await told(known, RunFeed("run_nobody"))

    # --- tags ----------------------------------------------------------------------------------

    async def test_a_feed_of_tags_begins_with_all_that_have_them(self, known: Api) -> None:
        tags = [["a"], ["b", "a"], ["b"], []]
        runs = [(await known.trigger("publish", order(tags=some))).id for some in tags]
        assert set(_statuses(await told(known, TagFeed(("a",))))) == {runs[0], runs[1]}
        assert set(_statuses(await told(known, TagFeed(("a", "b"))))) == {runs[1]}
        assert (await told(known, TagFeed(("c",)))).rows == ()

    async def test_a_run_that_comes_with_the_tags_is_told(self, known: Api) -> None:
        query = TagFeed(("a", "b"))
        place = (await told(known, query)).place
        async with news(known, query, place) as found:
            await known.trigger("publish", order(tags=["a"]))
            run = (await known.trigger("publish", order(tags=["b", "a"]))).id
        assert _statuses(found[0]) == {run: "PENDING"}
        assert found[0].known == frozenset()

    async def test_only_what_has_changed_is_told(self, known: Api) -> None:
        query = TagFeed(("a",))
        runs = [(await known.trigger("publish", order(tags=["a"]))).id for _ in range(3)]
        place = (await told(known, query)).place
        async with news(known, query, place) as found:
            await known.cancel(runs[1])
        assert _statuses(found[0]) == {runs[1]: "CANCELED"}
        assert found[0].known == {runs[1]}
        again = await known.feed(query, found[0].place, wait=False)
        assert again.rows == ()

    async def test_an_answer_that_was_lost_is_given_again(self, known: Api) -> None:
        query = TagFeed(("a",))
        run = (await known.trigger("publish", order(tags=["a"]))).id
        place = (await told(known, query)).place
        await known.cancel(run)
        lost = await told(known, query, place)
        again = await told(known, query, place)
        assert _statuses(again) == _statuses(lost) == {run: "CANCELED"}

    async def test_where_the_reader_is_not_known_nothing_is_missed(self, known: Api) -> None:
        query = TagFeed(("a",))
        run = (await known.trigger("publish", order(tags=["a"]))).id
        place = (await told(known, query)).place
        since, _, name = place.handle.partition("-")
        forgotten = Place(f"{since}-{'01'[name[0] == '0']}{name[1:]}", place.offset)
        assert (await known.feed(query, forgotten, wait=False)).rows == ()
        await known.cancel(run)
        assert _statuses(await told(known, query, forgotten)) == {run: "CANCELED"}

    async def test_a_large_answer_comes_in_parts(self, known: Api) -> None:
        large = b'"' + b"x" * 131_000 + b'"'
        tags = ["a"]
        runs = {(await known.trigger("a/b c", order(large, tags=tags))).id for _ in range(20)}
        pages = [await told(known, TagFeed(("a",)))]
        while pages[-1].more:
            pages.append(await known.feed(TagFeed(("a",)), pages[-1].place, wait=False))
        assert [len(page.rows) for page in pages] == [17, 3]
        assert {row.id for page in pages for row in page.rows} == runs

    async def test_a_feed_without_tags_is_refused(self, known: Api) -> None:
        with pytest.raises(BadRequest):
            await told(known, TagFeed(()))

    async def test_what_is_told_is_what_is_there(self, known: Api) -> None:
        """Of many changes at once some are seen together, and the last one always."""
        query = TagFeed(("a",))
        page = await told(known, query)
        seen = dict[str, str]()
        runs = list[str]()

        async def change() -> None:
            for _ in range(20):
                runs.append((await known.trigger("publish", order(tags=["a"]))).id)
                await known.cancel(runs[-1])

        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as group:
                group.start_soon(change)
                while list(seen.values()).count("CANCELED") < 20:
                    page = await told(known, query, page.place)
                    seen |= _statuses(page)
        assert seen == dict.fromkeys(runs, "CANCELED")
