"""Routes that tell what becomes of runs, in the shape protocol: an answer is held for news.

Owns: how a question reads, how long it is held, the headers of an answer.
Rule: a held question costs its request's task and one event, no task of its own.
Must never know: what has changed, or when.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final
from zlib import crc32

from headrace.errors import BadRequest, NotFound
from headrace.server.calls import Answer, Call
from headrace.server.policy import FollowsTags, OfRun
from headrace.server.routes import Param, Route
from headrace.wire import shapes
from headrace.wire.durations import duration_ms
from headrace.wire.feeds import DAY_MS, LONGEST_MS, FeedPage, FeedQuery, Place, RunFeed, TagFeed

HOLD_S: Final = 20.0
SPREAD: Final = 0.15
"""So much shorter or longer is a question held, so that not all come back at once."""
_MOST_TAGS: Final = 10
_LONGEST_TAG: Final = 128
_OFFSET: Final = re.compile(r"[0-9]{1,20}_[0-9]{1,20}(\.[\w.-]{0,4000})?", re.ASCII)
_BAD_TAG: Final = re.compile(r'[\x00-\x1f\x7f\\"]')


async def follow_run(call: Call) -> Answer:
    """Tell what becomes of a run."""
    return await _told(call, RunFeed(call.params["run"]))


async def follow_tags(call: Call) -> Answer:
    """Tell what becomes of the runs with some tags."""
    return await _told(call, TagFeed(_tags(call), _window_ms(call)))


async def _told(call: Call, query: FeedQuery) -> Answer:
    skip = _skipped(call)
    live = call.query.get("live") == "true"
    place = _place(call, skip)
    page = await _page(call, query, place, live=live)
    if place.handle and page.place.handle != place.handle:
        return _refetch(page, skip)
    headers = _headers(page, skip)
    if not live:
        headers[shapes.SCHEMA] = shapes.schema(skip)
    if not page.more:
        headers[shapes.UP_TO_DATE] = ""
    return Answer(shapes.body(page, skip), headers=headers)


async def _page(call: Call, query: FeedQuery, place: Place, *, live: bool) -> FeedPage:
    """Wait for news, but not for longer than anybody waits for the answer."""
    if not (live and place.offset):  # nothing to wait for: whoever leaves tells this all the same
        return await call.api.feed(query, place, wait=False)
    spread = 1 + SPREAD * (2 * crc32(f"{place}".encode()) / 2**32 - 1)
    try:
        async with asyncio.timeout(HOLD_S * spread) as patience:
            call.when_leaving(partial(_end, patience))
            return await call.api.feed(query, place)
    except TimeoutError:
        return FeedPage(place)


def _end(patience: asyncio.Timeout) -> None:
    with suppress(RuntimeError):  # it has been answered
        patience.reschedule(asyncio.get_running_loop().time())


def _place(call: Call, skip: frozenset[str]) -> Place:
    """Return where the reader stands. A handle is good only for the columns it was given for."""
    handle, offset = call.query.get("handle", ""), call.query.get("offset", shapes.BEGINNING)
    if offset != shapes.BEGINNING and not _OFFSET.fullmatch(offset):
        raise BadRequest("offset is -1, or what the last answer said")
    inner, _, columns = handle.rpartition(".")
    if columns != _mark(skip):
        inner = _OTHER if handle and offset != shapes.BEGINNING else ""
    return Place(inner, "" if offset == shapes.BEGINNING else offset)


_OTHER: Final = "?"
"""No handle of any query."""


def _mark(skip: frozenset[str]) -> str:
    return f"{crc32(','.join(sorted(skip)).encode()):08x}"


def _headers(page: FeedPage, skip: frozenset[str]) -> dict[str, str]:
    return {
        shapes.HANDLE: f"{page.place.handle}.{_mark(skip)}",
        shapes.OFFSET: page.place.offset,
        shapes.CURSOR: page.place.offset.partition(".")[0],  # the rest would come back twice
        "cache-control": "no-store",
    }


def _refetch(page: FeedPage, skip: frozenset[str]) -> Answer:
    """Send the reader back to the beginning: what it has is of another query."""
    headers = {shapes.HANDLE: f"{page.place.handle}.{_mark(skip)}", "cache-control": "no-store"}
    return Answer(shapes.MUST_REFETCH, 409, headers)


def _skipped(call: Call) -> frozenset[str]:
    """Return the columns to leave out; a token that says which ones has the last word."""
    token = call.caller.token if call.caller else None
    names: Sequence[str] = call.query.get("skipColumns", "").split(",")
    if token is not None and token.skip_columns is not None:
        names = token.skip_columns
    return shapes.skipped(names)


def _tags(call: Call) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(tag for tag in call.query.get("tags", "").split(",") if tag))
    if not named or len(named) > _MOST_TAGS:
        raise BadRequest(f"tags are 1 to {_MOST_TAGS} tags, with commas between them")
    if any(len(tag) > _LONGEST_TAG or _BAD_TAG.search(tag) for tag in named):
        raise BadRequest(
            f'a tag has at most {_LONGEST_TAG} characters, no control character, no \\ and no "'
        )
    return named


def _window_ms(call: Call) -> int:
    text = call.query.get("createdAt", "")
    return min(duration_ms(text), LONGEST_MS) if text else DAY_MS


_READS: Final = (
    Param("offset", "query", "-1 at first, then the header electric-offset of the last answer"),
    Param("handle", "query", "the header electric-handle of the last answer"),
    Param("live", "query", "`true`: hold the answer until something has changed, for about 20 s"),
    Param("skipColumns", "query", "columns to leave out, with commas between them"),
)

_OTHERS: Final = {409: "what the reader has is of another query: begin again at -1"}

ROUTES: Final = [
    Route(
        method="GET",
        path="/realtime/v1/runs/{run}",
        policy=OfRun("read"),
        handler=follow_run,
        summary="Tell what becomes of a run, in the shape protocol of Electric.",
        gives=list[shapes.Message],
        errors=(NotFound, BadRequest),
        others=_OTHERS,
        held_by="live=true",
        params=_READS,
    ),
    Route(
        method="GET",
        path="/realtime/v1/runs",
        policy=FollowsTags(),
        handler=follow_tags,
        summary="Tell what becomes of the runs with all of some tags, likewise.",
        gives=list[shapes.Message],
        errors=(BadRequest,),
        others=_OTHERS,
        held_by="live=true",
        params=(
            Param("tags", "query", "1 to 10 tags, with commas between them"),
            Param("createdAt", "query", "a duration: runs created since so long ago; normally 24h"),
            *_READS,
        ),
    ),
]
