"""The replay cursor: gives back what was answered before, in the order in which it was answered.

Owns: matching a question of the code with the journal, the turn order, mismatch and stall.
Must never know: futures, event loops, how entries are stored. Single owner, synchronous.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from headrace.kernel.model import Entry, Key, Kind

UNORDERED: frozenset[Kind] = frozenset({"peek", "rejected", "output"})
"""Entries that the code does not await: they are looked up by key, and wait for no turn."""


@dataclass(frozen=True, slots=True)
class Known:
    """The question was answered before; it is its turn when `Journal.turn` reaches `entry.n`."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class New:
    """The question has no answer yet."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the code asks now, and where."""

    key: Key
    kind: Kind
    fingerprint: str = ""
    line: str = ""


class Diverged(Exception):
    """The code no longer fits its journal. Running it again does not help; other code does."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Journal:
    """What a run remembers, and how far its code has been told so again."""

    def __init__(self, entries: Iterable[Entry], start: int = 0) -> None:
        """Take the entries from number `start` on: the code knows those before already."""
        self._entries: dict[Key, Entry] = {}
        self._owed: dict[int, Entry] = {}
        self._last = start - 1
        self._told = start
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Append an answer that has just become durable; entries come in the order of `n`."""
        if entry.n <= self._last:
            return  # told again after a reconnect
        self._last = entry.n
        self._entries[entry.key] = entry
        if entry.kind not in UNORDERED:
            self._owed[entry.n] = entry
        self._skip()

    @property
    def next_n(self) -> int:
        """Return the number that the next entry will have."""
        return self._last + 1

    @property
    def turn(self) -> int | None:
        """Return the number of the next answer to be told, if any is owed."""
        return self._told if self._owed else None

    @property
    def is_replaying(self) -> bool:
        """Tell whether recorded answers are still owed to the code."""
        return bool(self._owed)

    def ask(self, asked: Asked) -> Known | New:
        """Match a question of the code with the record, or raise `Diverged`."""
        entry = self._entries.get(asked.key)
        if entry is None:
            return New()
        if entry.kind != asked.kind:
            raise Diverged(self._differs(entry, asked))
        return Known(entry)

    def tell(self, entry: Entry) -> None:
        """Note that the code has been given `entry`; the turn moves on.

        No code asks twice under one key, so the entry is let go: a warm run keeps no bodies.
        """
        self._entries.pop(entry.key, None)
        self._owed.pop(entry.n, None)
        self._skip()

    def stalled(self, asked: Iterable[Asked]) -> Diverged:
        """Say that every branch waits for something else than the answer whose turn it is."""
        owed = self._owed[self._told]
        news = "\n".join(f"+{_line(one.kind, one.key, one.line)}" for one in asked)
        return Diverged(
            f"the journal holds {len(self._owed)} more answer(s) that the code does not ask for\n"
            f"--- recorded\n+++ this code\n"
            f"-{_line(owed.kind, owed.key, owed.line)}\n{news or '+(the task returned)'}\n"
            "Was a step or a wait inserted, removed or renamed while this run was suspended?"
        )

    def _differs(self, entry: Entry, asked: Asked) -> str:
        return (
            "the code asks for something else than the journal holds\n"
            "--- recorded\n+++ this code\n"
            f"-{_line(entry.kind, entry.key, entry.line)}\n"
            f"+{_line(asked.kind, asked.key, asked.line)}"
        )

    def _skip(self) -> None:
        while self._told <= self._last and self._told not in self._owed:
            self._told += 1


def _line(kind: Kind, key: Key, line: str) -> str:
    return f"{kind} {key}" + (f"  at {line}" if line else "")
