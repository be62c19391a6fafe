"""A store whose next reads of one kind fail, whenever a test says so, and that counts them.

What it can do stays.

Must never know: engines.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from headrace.errors import Unavailable
from headrace.kernel.model import RunId
from headrace.ports import Delivering, Sight, Sighting, Stores, Tallying
from headrace.testing.faults import FailingDelivery, FailingRuns, FailingStreams, Fault, Faults
from headrace.testing.faults_beside import FailingRevisions

T = TypeVar("T")


class Stumbles(Faults):
    """Fails as many reads as it is told, by the names of their verbs."""

    def __init__(self) -> None:
        super().__init__(Fault(at=0))
        self.next = Counter[str]()
        self.failed = 0
        self.asked = Counter[str]()
        self.late = frozenset[str]()
        """Reads whose answers are under way until the event is set."""
        self.may_answer = asyncio.Event()

    async def read(self, call: Awaitable[T]) -> T:
        """Do a read, or fail it."""
        name = getattr(call, "__name__", "")
        self.asked[name] += 1
        value = await call
        if self.next[name]:
            self.next[name] -= 1
            self.failed += 1
            raise Unavailable(f"{name} was made to fail")
        if name in self.late:
            await self.may_answer.wait()
        return value


class _Tallied(FailingDelivery):
    """Streams in a database."""

    def __init__(self, stores: Stores, faults: Faults) -> None:
        streams = stores.streams
        assert isinstance(streams, Delivering)
        assert isinstance(streams, Tallying)
        super().__init__(streams, streams, faults)
        self._tallying = streams

    async def tally(self, run_ids: Sequence[RunId]) -> Mapping[RunId, int]:
        """Count records."""
        return await self._faults.read(self._tallying.tally(run_ids))


class _Sighted(_Tallied):
    """Those that show a run and its streams in one look."""

    def __init__(self, stores: Stores, faults: Faults) -> None:
        super().__init__(stores, faults)
        assert isinstance(stores.streams, Sighting)
        self._sighting = stores.streams

    async def sight(self, run_id: RunId, start: int | None = None) -> Sight | None:
        """Look once."""
        return await self._faults.read(self._sighting.sight(run_id, start))


def stumbling(stores: Stores, stumbles: Stumbles, *, delivers: bool = True) -> Stores:
    """Return `stores` that stumble; a log that does not deliver is none in a database."""
    if not delivers:
        streams = FailingStreams(stores.streams, stumbles)
    elif isinstance(stores.streams, Sighting):
        streams = _Sighted(stores, stumbles)
    else:
        streams = _Tallied(stores, stumbles)
    return replace(
        stores,
        runs=FailingRuns(stores.runs, stumbles),
        revisions=FailingRevisions(stores.revisions, stumbles),
        streams=streams,
    )
