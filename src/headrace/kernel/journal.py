"""The replay cursor: gives back what was answered before, in the order in which it was answered.

Owns: matching a question of the code with the journal, the turn order, mismatch and stall, and
what somebody has accepted although code and journal differ.
Must never know: futures, event loops, how entries are stored. Single owner, synchronous.

Accepted: an entry `KEY-` of the kind `skip` says that KEY's answer is owed to nobody, and that no
question gets the key any more. One `KEY+` of the kind `insert` says that KEY is asked at another
place than the order of the journal has it: its answer is told whenever it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headrace.kernel.model import EPOCH, Entry, Gap, Key, Kind

UNORDERED: frozenset[Kind] = frozenset({"peek", "rejected", "output"})
"""Entries that the code does not await: they are looked up by key, and wait for no turn."""
ACCEPTED: frozenset[Kind] = frozenset({"skip", "insert"})
"""Entries that answer nothing: they say how the others are to be read."""


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

    def __init__(self, message: str, gap: Gap | None = None) -> None:
        super().__init__(message)
        self.message, self.gap = message, gap


def skipping(entry: Entry) -> Entry:
    """Return the entry by which somebody accepts that `entry` is not asked for any more."""
    key, body = Key(f"{entry.key}-"), str(entry.n).encode()
    return Entry(0, key, "skip", "value", body, EPOCH, line=entry.line)


def inserting(key: Key) -> Entry:
    """Return the entry by which somebody accepts that `key` is asked out of its turn."""
    return Entry(0, Key(f"{key}+"), "insert", "value", b"null", EPOCH)


class Journal:
    """What a run remembers, and how far its code has been told so again."""

    def __init__(self, entries: Iterable[Entry], start: int = 0) -> None:
        """Take the entries from number `start` on: the code knows those before already."""
        self._entries: dict[Key, Entry] = {}
        self._owed: dict[int, Entry] = {}
        self._loose: set[Key] = set()
        self.passed: set[Key] = set()
        """Keys that no question gets: each is that of an entry that was skipped."""
        self.start = start
        self._last = start - 1
        self._told = start
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Append an answer that has just become durable; entries come in the order of `n`."""
        if entry.n <= self._last:
            return  # told again after a reconnect
        self._last = entry.n
        if entry.kind in ACCEPTED:
            self._accept(entry)
        else:
            self._entries[entry.key] = entry
            if entry.kind not in UNORDERED and not self.is_loose(entry.key):
                self._owed[entry.n] = entry
        self._skip()

    def _accept(self, entry: Entry) -> None:
        """Read the other entries as it says; of what a snapshot stands for, there are none."""
        key = Key(entry.key[:-1])
        if entry.kind == "insert":
            self._loose.add(key)
            found = self._entries.get(key)
        else:
            self.passed.add(key)
            found = self._entries.pop(key, None)
        if found is not None:
            self._owed.pop(found.n, None)

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

    @property
    def unasked(self) -> Key | None:
        """Return a key that was accepted out of its turn, whose answer has not been asked for."""
        return next((key for key in self._loose if key in self._entries), None)

    def is_loose(self, key: Key) -> bool:
        """Tell whether the answer is told whenever it is asked for.

        A wait goes on under a key of its own (`x#0~1`) after a value that was rejected.
        """
        if not self._loose:
            return False
        name, _, number = key.rpartition("#")
        return key in self._loose or f"{name}#{number.partition('~')[0]}" in self._loose

    def ask(self, asked: Asked) -> Known | New:
        """Match a question of the code with the record, or raise `Diverged`."""
        entry = self._entries.get(asked.key)
        if entry is None:
            if asked.key in self.passed:
                raise Diverged(_skipped(asked))
            return New()
        if entry.kind != asked.kind:
            raise Diverged(_differs(entry, asked))
        return Known(entry)

    def tell(self, entry: Entry) -> None:
        """Note that the code has been given `entry`; the turn moves on.

        No code asks twice under one key, so the entry is let go: a warm run keeps no bodies.
        """
        self._entries.pop(entry.key, None)
        self._owed.pop(entry.n, None)
        self._skip()

    def stalled(self, asked: Sequence[Asked], owed: Entry | None = None) -> Diverged:
        """Say that every branch waits for something else than the answer whose turn it is."""
        owed = owed or self._owed[self._told]
        news = "\n".join(f"+{_line(one.kind, one.key, one.line)}" for one in asked)
        message = (
            f"the journal holds {max(1, len(self._owed))} more answer(s) that the code does not "
            f"ask for\n--- recorded, entry {owed.n}\n+++ this code\n"
            f"-{_line(owed.kind, owed.key, owed.line)}\n{news or '+(the task returned)'}\n"
            "Was a step or a wait inserted, removed or renamed while this run was suspended?"
        )
        return Diverged(message, Gap(owed.n, self._instead(asked)))

    def _instead(self, asked: Sequence[Asked]) -> tuple[Key, ...]:
        """Return the keys that are asked: those that are new, else those whose turn is later."""
        keys = [one.key for one in asked if not self.is_loose(one.key)]
        return tuple([key for key in keys if key not in self._entries] or keys)

    def _skip(self) -> None:
        while self._told <= self._last and self._told not in self._owed:
            self._told += 1


def _differs(entry: Entry, asked: Asked) -> str:
    return (
        "the code asks for something else than the journal holds\n"
        f"--- recorded, entry {entry.n}\n+++ this code\n"
        f"-{_line(entry.kind, entry.key, entry.line)}\n"
        f"+{_line(asked.kind, asked.key, asked.line)}"
    )


def _skipped(asked: Asked) -> str:
    return (
        "the code asks for what somebody has accepted that it does not ask for any more\n"
        "--- accepted\n+++ this code\n"
        f"-no {asked.key}\n+{_line(asked.kind, asked.key, asked.line)}"
    )


def _line(kind: Kind, key: Key, line: str) -> str:
    return f"{kind} {key}" + (f"  at {line}" if line else "")
