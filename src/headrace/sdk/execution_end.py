"""What the end of a journal means for the next attempt (`commands.Fail`).

Owns: which failures are tried again. Must never know: why the task failed.
"""

from __future__ import annotations

from collections.abc import Iterable

from headrace.kernel.model import Cause, Entry, Retry
from headrace.wire.channel import Raised

_UNDONE = frozenset({"failure", "cancelled"})


class Tail:
    """The failures, and waits that were cancelled, after the last other entry."""

    __slots__ = ("_entries", "_next_n")

    def __init__(self, entries: Iterable[Entry], start: int = 0) -> None:
        self._entries: list[Entry] = []
        self._next_n = start
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Take note of the journal's newest entry."""
        if entry.n < self._next_n:
            return  # told again after a reconnect
        self._next_n = entry.n + 1
        if entry.ending in _UNDONE:
            self._entries.append(entry)
        else:
            self._entries.clear()

    def raised(self, place: tuple[str, int], cause: Cause, retry: Retry, *, again: bool) -> Raised:
        """Return the end of an attempt that failed."""
        run, epoch = place
        revived = {e.key: e.deadline for e in self._entries if e.deadline is not None}
        return Raised(
            run=run,
            epoch=epoch,
            cause=cause,
            retry=retry,
            again=again,
            undone=self._entries[0].n if self._entries else None,
            seen=self._next_n,
            revived={str(key): int(moment) for key, moment in revived.items()},
        )
