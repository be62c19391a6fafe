"""What every process remembers, looked at only where it may have changed.

A step of one process changes what that process remembers, and nobody else's: so the rest is what it
was one move before. And what a process remembers after a step follows from what it remembered
before (they all, if the move enters other processes), from the move, and from all that is shared:
so of a step that was seen elsewhere the outcome is known. Both save nothing but time;
tests/explorer/test_left_out.py looks at everything, and compares.

Owns: what is known of the path, and of steps. Must never know: how a memory is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Look: TypeAlias = Callable[[str], int]
"""Returns the fingerprint of what a process remembers."""


@dataclass(frozen=True, slots=True)
class Step:
    """The move that has just been made, and which processes may have gone on by it."""

    label: str
    touched: Collection[str]
    enters: bool
    """Whether others than the one that made it; `touched` is empty if anybody may have."""


@dataclass(frozen=True, slots=True)
class _Place:
    shared: Hashable
    memories: Mapping[str, int]


@dataclass(slots=True)
class Recall:
    """Shared by all plays of one search."""

    _path: list[_Place] = field(default_factory=list[_Place])
    _known: dict[Hashable, int] = field(default_factory=dict[Hashable, int])

    def memories(
        self, depth: int, step: Step | None, homes: Collection[str], shared: Hashable, look: Look
    ) -> tuple[tuple[str, int], ...]:
        """Return what each of the processes remembers after so many moves, `step` the last."""
        found = dict[str, int]()
        if step is None:
            found = {home: look(home) for home in homes}
        else:
            before = self._path[depth - 1]
            for home in homes:
                found[home] = self._after(before, step, home, look)
        self._path[depth:] = [_Place(shared, found)]
        return tuple(sorted(found.items()))

    def _after(self, before: _Place, step: Step, home: str, look: Look) -> int:
        known = before.memories.get(home)
        if known is not None and step.touched and home not in step.touched:
            return known
        remembered = tuple(before.memories.items()) if step.enters else known
        key = home, remembered, step.label, before.shared
        if (memory := self._known.get(key)) is None:
            memory = self._known[key] = look(home)
        return memory
