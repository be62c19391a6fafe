"""What this process knows of streams: everything below a number, or nothing.

An append under a key is safe only for who knows the key of every record below the number where it
appends: no key could stand there twice. So knowledge begins at 0, has no gaps, and is given up
whole. Owns: that, one appender at a time, and how much is remembered.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from headrace.backends.s2.records import Stored, broken, foreign
from headrace.kernel.model import Instant

KEYS_KEPT: Final = 500_000
"""Of all streams. One that is used now is kept, however many it has."""
LOGS_KEPT: Final = 50_000
TIDIED_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Known:
    """The record that stands under a key."""

    seq: int
    digest: bytes
    at: Instant


@dataclass(slots=True)
class Log:
    """One stream, as far as it is known: the records below `tail`."""

    name: str
    tail: int = 0
    size: int = 0
    apart: int = 0
    """How many of the bodies are in `Blobs`."""
    epoch: int = 0
    """The highest of the lives of the run that have written."""
    keys: dict[bytes, Known] = field(default_factory=dict[bytes, Known])
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    counted: int = 0
    """Of the keys, those that are counted among all that are remembered."""

    def learn(self, stored: Stored) -> None:
        """Add the next record."""
        if stored.seq != self.tail:
            raise broken(self.name, self.tail)
        if stored.below != self.size:
            raise foreign(self.name, stored.seq)
        self.tail, self.size, self.apart = stored.seq + 1, stored.end, stored.apart
        self.epoch = max(self.epoch, stored.epoch)
        if stored.key:
            # The first one counts: there is no second, unless somebody else has written.
            self.keys.setdefault(stored.key, Known(stored.seq, stored.digest, stored.at))


class Logs:
    """The logs that are remembered; the ones that nobody has asked for longest go first."""

    def __init__(self, *, keys_kept: int = KEYS_KEPT, logs_kept: int = LOGS_KEPT) -> None:
        self._logs: OrderedDict[str, Log] = OrderedDict()
        self._keys_kept, self._logs_kept = keys_kept, logs_kept
        self._keys = 0

    @asynccontextmanager
    async def held(self, name: str) -> AsyncGenerator[Log]:
        """Give what is known of a stream, to nobody else meanwhile."""
        log = self._logs.setdefault(name, Log(name))
        self._logs.move_to_end(name)
        log.users += 1
        try:
            async with log.lock:
                yield log
        finally:
            log.users -= 1
            self._count(log)
            self._tidy()

    def _count(self, log: Log) -> None:
        if self._logs.get(log.name) is log:
            self._keys += len(log.keys) - log.counted
            log.counted = len(log.keys)

    def peek(self, name: str) -> Log | None:
        """Return what is known of a stream, to look at."""
        return self._logs.get(name)

    def forget(self, name: str) -> None:
        """Know nothing of a stream any more; who is at it goes on, for the last time."""
        log = self._logs.pop(name, None)
        if log is not None:
            self._keys -= log.counted

    @property
    def _is_full(self) -> bool:
        return self._keys > self._keys_kept or len(self._logs) > self._logs_kept

    def _tidy(self) -> None:
        """Give up a few, if there are too many: enough for their number to fall again."""
        for name in list(islice(self._logs, TIDIED_AT_ONCE if self._is_full else 0)):
            if not self._is_full:
                return
            if not self._logs[name].users:
                self.forget(name)
            else:
                self._logs.move_to_end(name)
