"""The `FeedApi` over HTTP."""

from __future__ import annotations

from typing import assert_never
from urllib.parse import quote

from headrace.client.transport import Answer, Call, Transport
from headrace.wire import shapes
from headrace.wire.feeds import START, FeedPage, FeedQuery, Place, RunFeed, TagFeed

_CONFLICT = 409


class FeedClient:
    """See what becomes of runs of a server elsewhere."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    async def feed(self, query: FeedQuery, place: Place = START, *, wait: bool = True) -> FeedPage:
        """Return the runs that whoever stands at `place` has not seen as they are now."""
        while True:
            live = bool(wait and place.offset)
            answer = await self._http.call(_call(query, place, live=live), {_CONFLICT})
            if answer.status == _CONFLICT:
                place = _begin(answer)
                continue
            page = shapes.page_of(answer.body, answer.headers)
            if page.rows or not live:
                return page
            place = page.place


def _begin(answer: Answer) -> Place:
    return Place(answer.headers.get(shapes.HANDLE, ""))


def _call(query: FeedQuery, place: Place, *, live: bool) -> Call:
    asked = {
        "handle": place.handle,
        "live": "true" if live else "",
        "offset": place.offset or shapes.BEGINNING,
    }
    match query:
        case RunFeed(run_id=run_id):
            path = f"/realtime/v1/runs/{quote(run_id, safe='')}"
        case TagFeed(tags=tags, window_ms=window_ms):
            path = "/realtime/v1/runs"
            asked |= {"tags": ",".join(tags), "createdAt": f"{-(-window_ms // 1_000)}s"}
        case _:
            assert_never(query)
    return Call("GET", path, query={name: text for name, text in asked.items() if text})
