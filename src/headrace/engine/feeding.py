"""The use case `feed`: what has become of runs since somebody looked.

Owns: places, and when there is something new to tell. Must never know: how a page travels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, assert_never

from headrace.engine.bound import Bound
from headrace.engine.core import Core
from headrace.engine.ids import unknown_run
from headrace.engine.offsets import Seen, head_of, offset_of, told_of
from headrace.engine.views import find_run, large_of
from headrace.engine.watching import MOST_RUNS, Follower
from headrace.errors import BadRequest
from headrace.kernel.model import (
    Completed,
    Delayed,
    EnvId,
    Expired,
    Instant,
    Over,
    Queued,
    Run,
    RunId,
)
from headrace.ports import Order, Revision, Tagged
from headrace.wire import packets
from headrace.wire.faults import fault_text
from headrace.wire.feeds import (
    LONGEST_MS,
    START,
    FeedPage,
    FeedQuery,
    FeedRow,
    Place,
    RunFeed,
    TagFeed,
)
from headrace.wire.statuses import raw_of

PAGE_BYTES: Final = 2 * 1_048_576
"""A page ends with the row that brings its bodies to this."""
_HANDLE: Final = re.compile(r"([0-9]{1,16})-[0-9a-f]{24}")


class Feeding(Bound):
    """The part of an `Api` that tells what becomes of runs."""

    async def feed(self, query: FeedQuery, place: Place = START, *, wait: bool = True) -> FeedPage:
        """Return the runs that whoever stands at `place` has not seen as they are now."""
        match query:
            case RunFeed(run_id=run_id):
                return await _of_run(self._core, self._env, RunId(run_id), place, wait=wait)
            case TagFeed():
                return await _of_tags(self._core, self._env, query, place, wait=wait)
            case _:
                assert_never(query)


# --- one run -------------------------------------------------------------------------------------


async def _of_run(core: Core, env: EnvId, run_id: RunId, place: Place, *, wait: bool) -> FeedPage:
    """Tell of a run; its revision is the place, so that nothing has to be remembered."""
    await find_run(core, env, run_id)
    if place.handle not in {"", run_id}:
        place = START
    with core.watch.run(run_id) as follower:
        revision = await _look(core, run_id, follower)
        while place.offset == _offset(revision):
            if not wait:
                return FeedPage(Place(run_id, place.offset))
            await follower.bell.wait()
            revision = await _look(core, run_id, follower)
    # Read behind its revision: what comes in between is told again, not missed.
    row = await _row(core, await find_run(core, env, run_id))
    known = frozenset({run_id}) if place.offset else frozenset[str]()
    return FeedPage(Place(run_id, _offset(revision)), (row,), known)


async def _look(core: Core, run_id: RunId, follower: Follower) -> Revision:
    follower.bell.clear()
    found = (await core.stores.revisions.of([run_id])).get(run_id)
    if found is None:
        raise unknown_run(run_id)
    follower.seen = found
    return found


def _offset(revision: Revision) -> str:
    return f"{revision.version}_{revision.beside}"


# --- tags ----------------------------------------------------------------------------------------


async def _of_tags(core: Core, env: EnvId, query: TagFeed, place: Place, *, wait: bool) -> FeedPage:
    """Tell of all runs with these tags. The handle says since when; the offset, what was told."""
    handle, since = _handle(core, query, place)
    if place.handle != handle:
        place = START
    asked = Tagged(env, query.tags, since)
    with core.watch.tags(asked) as bell:
        while True:
            bell.clear()
            page = await _news(core, asked, Place(handle, place.offset))
            if page.rows or not (wait and place.offset):
                return page
            await bell.wait()  # and nothing of what was found is kept meanwhile


async def _news(core: Core, asked: Tagged, place: Place) -> FeedPage:
    """Return what is new at a place; nothing has to be remembered, since the place says it all."""
    tagged = core.stores.revisions.tagged
    found = await tagged(asked, MOST_RUNS)
    if place.offset.partition(".")[0] == head_of(found):
        return FeedPage(place)
    told = told_of(place.offset, found)
    if told is None and place.offset and len(found) == MOST_RUNS:
        # The oldest that were told may have made room for new ones.
        told = told_of(place.offset, await tagged(asked, 2 * MOST_RUNS))
    return await _page(core, asked.env, place.handle, found, told or {})


def _handle(core: Core, query: TagFeed, place: Place) -> tuple[str, Instant]:
    """Return the handle, and since when it follows runs: the window does not move with time."""
    if not query.tags or not 0 <= query.window_ms <= LONGEST_MS:
        raise BadRequest("a feed names tags, and goes back 30 days at the most")
    if known := _HANDLE.fullmatch(place.handle):
        return place.handle, Instant(int(known[1]))
    since = Instant(max(0, core.now() - query.window_ms))
    return f"{since}-{core.chance.unique(12).hex()}", since


async def _page(
    core: Core, env: EnvId, handle: str, found: Sequence[Revision], before: Seen
) -> FeedPage:
    """Tell of what is new, up to a limit: the offset stands for what was told, now or before."""
    new = [revision for revision in found if before.get(revision.run_id) != revision]
    rows, told, size = list[FeedRow](), dict(before), 0
    for revision in new:
        if size > PAGE_BYTES:
            break
        row = await _row(core, await find_run(core, env, revision.run_id))
        size += len(row.payload) + len(row.output) + len(row.metadata)
        rows.append(row)
        told[revision.run_id] = revision
    offset = offset_of([told[one.run_id] for one in found if one.run_id in told])
    known = frozenset(row.id for row in rows if RunId(row.id) in before)
    return FeedPage(Place(handle, offset), tuple(rows), known, more=len(rows) < len(new))


# --- rows ----------------------------------------------------------------------------------------


async def _row(core: Core, run: Run) -> FeedRow:
    """Show a run. It may be newer than the revision that called for it: then it is shown again."""
    order = await core.stores.runs.order(run.id, most=packets.INLINE) or Order()
    ends = await core.stores.streams.ends(run.id)
    state, outcome = run.state, run.state.outcome if isinstance(run.state, Over) else None
    ended = state.at if isinstance(state, Over) else None
    return FeedRow(
        id=run.id,
        task=run.task,
        status=raw_of(state),
        created=run.created,
        updated=run.updated,
        tags=tuple(sorted(order.tags)),
        streams=tuple(sorted(stream[1:] for stream in ends if stream.startswith(">"))),
        started=run.started,
        delayed_until=state.until if isinstance(state, Delayed) else None,
        queued=state.since if isinstance(state, Queued) else None,
        expired=ended if isinstance(outcome, Expired) else None,
        ended=ended,
        ran_ms=run.ran_ms + (core.now() - run.resumed if run.resumed is not None else 0),
        ttl=order.ttl,
        payload=order.payload,
        metadata=await core.stores.runs.metadata(run.id),
        output=outcome.output if isinstance(outcome, Completed) else b"",
        error=b"" if outcome is None else fault_text(outcome),
        large=large_of(run, order),
    )
