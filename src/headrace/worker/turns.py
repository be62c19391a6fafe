"""Whose turn it is to replay: many long replays at once would all end as late as the last.

Owns: when a life begins, and what is pushed to it before. Must never know: the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from headrace.sdk.execution_life import Life
from headrace.wire.channel import Push

LONG: Final = 50
"""So many entries are worth a turn of their own."""
TURN_S: Final = 0.25
"""The longest turn."""
LOOK_S: Final = 0.005
IDLE_LOOKS: Final = 4
"""A turn is over when so many found nothing told: the code waits for something else."""


@dataclass(slots=True)
class _Turn:
    begin: Callable[[], None]
    pushes: list[Push] = field(default_factory=list[Push])


class Turns:
    """Lets lives with much to repeat begin one after another; the others begin at once."""

    def __init__(self) -> None:
        self._waiting: dict[Life, _Turn] = {}
        self._replaying: Life | None = None
        self._ends, self._told, self._idle = 0.0, 0, 0

    def begin(self, life: Life, entries: int, begin: Callable[[], None]) -> None:
        """Call `begin` when it is the life's turn."""
        if entries < LONG:
            begin()
            return
        self._waiting[life] = _Turn(begin)
        if self._replaying is None:
            self._next()

    def holds(self, life: Life) -> bool:
        """Tell whether the life has yet to begin."""
        return life in self._waiting and not life.is_gone

    def keep(self, life: Life, push: Push) -> bool:
        """Keep what is pushed to a life that has yet to begin; tell whether it is one."""
        turn = self._waiting.get(life)
        if turn is not None:
            turn.pushes.append(push)
        return turn is not None

    def _next(self) -> None:
        try:
            if not self._is_taken():
                self._replaying = None
                while self._waiting and self._replaying is None:
                    self._give(next(iter(self._waiting)))
        finally:  # whatever one brings about, the others have their turn
            if self._replaying is not None:
                asyncio.get_running_loop().call_later(LOOK_S, self._next)

    def _is_taken(self) -> bool:
        life = self._replaying
        if life is None or life.is_gone or asyncio.get_running_loop().time() >= self._ends:
            return False
        self._idle = self._idle + 1 if life.replay.told == self._told else 0
        self._told = life.replay.told
        return self._idle < IDLE_LOOKS and life.replay.is_past

    def _give(self, life: Life) -> None:
        turn = self._waiting.pop(life)
        if life.is_gone:
            return
        self._replaying, self._told, self._idle = life, life.replay.told, 0
        self._ends = asyncio.get_running_loop().time() + TURN_S
        turn.begin()
        for push in turn.pushes:
            if not life.is_gone:
                life.receive(push)
