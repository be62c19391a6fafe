"""The wait map in Redis: an entry a run, which ends by itself.

Owns: the form of an entry. Must never know: who asks, or what follows.

An entry is the text `VERSION live UNTIL`, `VERSION on ["<a",…]` or `VERSION gone `. Redis ends it
by its own clock; `live` ends by the reader's as well, whichever comes first.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import resources
from typing import Final

import msgspec

from headrace.backends.redis.link import Link, Script
from headrace.errors import Unavailable
from headrace.kernel.model import Instant, RunId, StreamId, later
from headrace.ports import Clock
from headrace.ports.waitmap import KEPT_MS, LIVE_MS, Live, On

PREFIX: Final = "headrace:at:"
SAY: Final = Script((resources.files(__package__ or "") / "waitmap.lua").read_text("utf-8"))

_encode = msgspec.json.Encoder(order="sorted").encode
_streams = msgspec.json.Decoder(frozenset[StreamId]).decode


class RedisWaitMap:
    """The `WaitMap` port. Trouble with Redis is the link's to tell; here it means: unknown."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link, self._clock = link, clock

    async def where(self, run_id: RunId) -> Live | On | None:
        """Return where the run is."""
        try:
            found = await self._link.ask("GET", f"{PREFIX}{run_id}")
        except Unavailable:
            return None
        if not isinstance(found, bytes):
            return None
        try:
            return self._read(found)
        except ValueError:  # of a newer headrace, or of somebody else
            return None

    async def live(self, run_id: RunId, version: int, until: Instant) -> None:
        """Say that the run is executed, at least until then."""
        until = min(until, later(self._clock.now(), LIVE_MS))
        await self._say(run_id, version, "live", str(until), "PXAT", until)

    async def parked(self, run_id: RunId, version: int, streams: frozenset[StreamId]) -> None:
        """Say that the run, from this version on, waits for any of the streams."""
        await self._say(run_id, version, "on", _encode(streams).decode(), "PX", KEPT_MS)

    async def gone(self, run_id: RunId, version: int) -> None:
        """Say that, from this version on, nobody executes the run."""
        await self._say(run_id, version, "gone", "", "PX", KEPT_MS)

    async def _say(self, run_id: RunId, version: int, *rest: str | int) -> None:
        with suppress(Unavailable):
            await self._link.run(SAY, f"{PREFIX}{run_id}", version, *rest)

    def _read(self, entry: bytes) -> Live | On | None:
        _, state, rest = entry.split(b" ", 2)
        if state == b"live":
            until, now = Instant(int(rest)), self._clock.now()
            return Live(until) if now < until <= later(now, LIVE_MS) else None
        return On(_streams(rest)) if state == b"on" else None
