"""The use case of following runs by asking again and again, as a Protocol.

Must never know: how a page travels.
"""

from __future__ import annotations

from typing import Protocol

from headrace.wire.feeds import START, FeedPage, FeedQuery, Place


class FeedApi(Protocol):
    """See what becomes of runs."""

    async def feed(self, query: FeedQuery, place: Place = START, *, wait: bool = True) -> FeedPage:
        """Return the runs that whoever stands at `place` has not seen as they are now.

        From the start it is all of them, at once. Elsewhere it waits until there is one, unless
        `wait` is False; the caller ends the wait by cancelling. Nothing is missed: a place that is
        not known any more gives all runs again, under another handle where the old one is none
        of this query's. `NotFound` for a run that is not there.
        """
        ...
