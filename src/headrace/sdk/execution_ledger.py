"""What a run has posted and not heard of yet, so that it can be posted again.

Owns: which push answers which operation. Must never know: sockets, frames.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from headrace.wire import channel
from headrace.wire.channel import Operation

_ENTRY: Final = ("stand", "left", "own", "out")


class Outbox(Protocol):
    """Where operations go: whoever gathers them into frames."""

    def post(self, operation: Operation) -> None:
        """Put an operation into the next frame."""
        ...

    def compose(self, last_words: Callable[[], None]) -> None:
        """Call `last_words` when the next frame is made; what it posts still goes into it."""
        ...


class Ledger:
    """One run's operations, in the order in which they were posted."""

    __slots__ = ("_emptied", "_open", "_outbox")

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._open: dict[tuple[str, str], Operation] = {}
        self._emptied: asyncio.Future[None] | None = None

    def post(self, operation: Operation) -> None:
        """Post an operation, and keep it until it is answered."""
        slot = _slot(operation)
        self._open.pop(slot, None)
        self._open[slot] = operation
        self._outbox.post(operation)

    def compose(self, last_words: Callable[[], None]) -> None:
        """Have `last_words` called when the next frame is made."""
        self._outbox.compose(last_words)

    def answered(self, key: str) -> None:
        """Forget what an entry, or a refusal, under `key` answers."""
        for kind in _ENTRY:
            self._open.pop((kind, key), None)
        self._tell_if_quiet()

    def emitted(self, key: str) -> None:
        """Forget an output record that is durable."""
        self._open.pop(("emit", key), None)

    def noted(self, key: str) -> None:
        """Forget metadata that is stored, or refused, unless it has been set anew meanwhile."""
        self._open.pop(("edit", key), None)
        slot = ("note", key.partition("/")[2])
        known = self._open.get(slot)
        if isinstance(known, channel.Noted) and known.key == key:
            del self._open[slot]

    def woken(self) -> None:
        """Forget that the run was parked."""
        self._open.pop(("park", ""), None)

    def unanswered(self) -> tuple[Operation, ...]:
        """List what must be posted again after a reconnect, in order."""
        return tuple(self._open.values())

    async def quiet(self) -> None:
        """Wait until no entry of the run's own is under way."""
        while not self.is_quiet:
            self._emptied = asyncio.get_running_loop().create_future()
            await self._emptied

    @property
    def is_quiet(self) -> bool:
        """Tell whether the server has answered everything but waits and output."""
        return not any(kind in {"left", "own", "out"} for kind, _ in self._open)

    @property
    def only_waits(self) -> bool:
        """Tell whether the server has answered everything but where the run stands."""
        return all(kind in {"stand", "park"} for kind, _ in self._open)

    def say(self, operation: Operation) -> None:
        """Post what has no answer of its own, and is not posted again."""
        self._outbox.post(operation)

    def _tell_if_quiet(self) -> None:
        if self._emptied is not None and not self._emptied.done() and self.is_quiet:
            self._emptied.set_result(None)


def _slot(operation: Operation) -> tuple[str, str]:
    match operation:
        case channel.Standing(key=key):
            return "stand", key
        case channel.Left(key=key):
            return "left", key
        case channel.Remembered(entry=entry):
            return "own", entry.key
        case channel.Started(key=key) | channel.Sent(key=key):
            return "out", key
        case channel.Emitted(key=key):
            return "emit", key
        case channel.Noted(kind=kind, name=name, key=key):
            return ("note", name) if kind == "set" else ("edit", key)
        case channel.Parked():
            return "park", ""
        case _:
            return "end", ""
