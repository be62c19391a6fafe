"""What a run says of itself: its metadata as it knows it, and which changes are still to be told.

Owns: the place of each change in the code, by which it counts once however often the code runs.
Must never know: frames, sockets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import msgspec
from msgspec import UNSET, Raw

from headrace.sdk.replay import Replay
from headrace.wire import edits
from headrace.wire.changes import Edit, EditKind
from headrace.wire.channel import Assigned

_object = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Jotting:
    """One change on its way. `mark` is its place: attempt, last answer told, count since."""

    name: str
    value: bytes
    kind: EditKind = "set"
    mark: tuple[int, ...] = ()


class Teller(Protocol):
    """Who gathers changes into frames."""

    def note(self, jotting: Jotting) -> None:
        """Have metadata changed by the next frame."""
        ...


class Notepad:
    """One life's view of the run's metadata."""

    def __init__(self, assigned: Assigned, replay: Replay, teller: Teller) -> None:
        self.shown = {k: bytes(v) for k, v in _object(assigned.metadata or b"{}").items()}
        self._attempt, self._landed = assigned.attempt, assigned.mark[1:]
        self._replay, self._teller = replay, teller
        self._since, self._count = -1, 0
        self._own: set[str] = set()
        """Names that this life has set itself: it knows what they were at each line."""

    def note(self, name: str, value: bytes, kind: EditKind) -> None:
        """Make a change, and have it told unless an earlier life has."""
        place = self._place()
        is_told = self._replay.is_past and place <= self._landed
        if kind == "set":
            self._own.add(name)
        if not is_told or kind == "update" or name in self._own:
            # What was told before stands in what this life began with.
            self._apply(name, value, kind)
        if not is_told:
            self._teller.note(Jotting(name, value, kind, (self._attempt, *place)))

    def _place(self) -> tuple[int, ...]:
        if self._since != self._replay.told:
            self._since, self._count = self._replay.told, 0
        self._count += 1
        return self._since, self._count

    def _apply(self, name: str, value: bytes, kind: EditKind) -> None:
        if kind == "set":
            self.shown[name] = value
            return
        text = _encode({name: Raw(text) for name, text in self.shown.items()})
        edit = Edit(type=kind, key=name, value=Raw(value) if value else UNSET)
        found = edits.edited(text, (edit,), names_only=True)
        self.shown = {key: bytes(one) for key, one in _object(found).items()}
