"""Runs with tags, as they come and change.

Must never know: how an `Api` is reached.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from headrace.ports import Api
from headrace.wire.feeds import START, TagFeed
from headrace.wire.views import RunView

_encode = msgspec.json.Encoder().encode


async def tagged_views(api: Api, query: TagFeed) -> AsyncIterator[RunView]:
    """Yield every run with these tags, the oldest first, and each again when it has changed.

    A run that changes faster than it is read is shown as it is then.
    """
    place, shown = START, dict[str, int]()
    while True:
        page = await api.feed(query, place)
        place = page.place
        for row in reversed(page.rows):
            view = await api.retrieve(row.id)
            # What a server that was started again tells once more is no news.
            look = hash(_encode(msgspec.structs.replace(view, duration_ms=0)))
            if shown.get(row.id) != look:
                shown[row.id] = look
                yield view
