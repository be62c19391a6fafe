"""When a run waits, and what else is said at the end of a frame.

Owns: what counts as idle, metadata on its way. Must never know: why a branch waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from headrace.sdk.execution_gate import Gate
from headrace.sdk.execution_ledger import Ledger
from headrace.sdk.execution_notes import Jotting
from headrace.sdk.execution_rest import Stance
from headrace.sdk.replay import Replay, is_catching_up
from headrace.wire import channel

_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.run")
_IDLE: Final = frozenset({Stance.PARKS, Stance.LISTENS, Stance.BRANCHES})


class Parking:
    """The last words of a run in each frame. `parked` is called when it has said that it waits."""

    def __init__(
        self,
        place: tuple[str, int],
        gate: Gate,
        replay: Replay,
        ledger: Ledger,
        parked: Callable[[], None],
        *,
        warned: set[str],
    ) -> None:
        self._run, self._epoch = place
        self._gate, self._replay, self._ledger, self._when_parked = gate, replay, ledger, parked
        self._warned = warned
        self._notes: list[Jotting] = []
        self._noted = 0
        self.is_parked = False
        """Whether the run waits, as far as this worker knows."""
        self.is_forbidden = False
        """Whether the run has been told to end."""

    def woken(self) -> None:
        """Note news: the run waits no more, or must say so again."""
        self.is_parked = False
        self._ledger.woken()
        self.look()

    def look(self) -> None:
        """See, when the next frame is made, whether the run is idle."""
        self._ledger.compose(self.last_words)

    def look_if_waiting(self) -> None:
        """The same, where a branch stands in a wait that parks."""
        if self._any_waits and not self.is_parked:
            self.look()

    @property
    def _any_waits(self) -> bool:
        questions = self._replay.questions.values()
        return any(question.present_stance is Stance.PARKS for question in questions)

    def note(self, jotting: Jotting) -> None:
        """Have metadata changed by the next frame; only the last of several settings is told."""
        if jotting.kind == "set":
            self._outdate(jotting.name)
        self._notes.append(jotting)
        self.look()

    def _outdate(self, name: str) -> None:
        for at in range(len(self._notes) - 1, -1, -1):
            older = self._notes[at]
            if older.kind == "update" or (older.name == name and older.kind != "set"):
                return
            if older.name == name:
                del self._notes[at]
                return

    def last_words(self) -> None:
        """Add what belongs into the frame that is being made: metadata, and that the run waits."""
        self.post_notes()
        self._park_if_idle()

    def post_notes(self) -> None:
        """Post the changes of metadata."""
        for one in self._notes:
            key = f"{self._noted}/{one.name}"
            self._noted += 1
            place = self._run, self._epoch
            noted = channel.Noted(*place, one.name, one.value, key, one.kind, one.mark)
            self._ledger.post(noted)
        self._notes.clear()

    def _park_if_idle(self) -> None:
        """Say that every live branch stands in a wait, if that is new."""
        replay = self._replay
        if self._gate.is_closed or self.is_forbidden or is_catching_up(replay):
            return
        if self.is_parked or not self._any_waits:
            return
        found = replay.stances(self._warn_of_timer, within=_IDLE)
        if Stance.PARKS in found and _IDLE.issuperset(found):
            self.is_parked = True
            seen = replay.journal.next_n
            self._ledger.post(channel.Parked(self._run, self._epoch, seen))
            self._when_parked()

    def _warn_of_timer(self, line: str) -> None:
        """Say once of each line what a timer around a wait costs; it may be meant so."""
        if line not in self._warned:
            self._warned.add(line)
            _log.warning(
                "a wait inside asyncio.timeout or a deadline of anyio keeps its run in memory, "
                "and a replay starts that timer anew: give the wait its own timeout=",
                line=line,
                run=self._run,
            )
