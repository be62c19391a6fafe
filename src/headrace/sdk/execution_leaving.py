"""How a run that waits leaves its worker: saved, and given back in the same commit.

Owns: when a snapshot is asked for, and what is said where there can be none.
Must never know: what a snapshot holds; memory, or other runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import structlog

from headrace.frames import NotPutAway
from headrace.kernel.journal import Journal
from headrace.sdk.execution_suspension import CannotSave, Suspension, place_of
from headrace.sdk.replay import forget, standing
from headrace.wire import channel
from headrace.wire.channel import Assigned

if TYPE_CHECKING:
    from headrace.sdk.execution_life import Life, Manner

JOURNAL_KEPT: Final = 1_000
"""Entries behind a snapshot that are kept, so that changed code can replay them."""
JOURNAL_KEPT_BYTES: Final = 256 * 1_024
SAVED_EVERY: Final = 1_000
"""Entries after which a run that does not leave is saved all the same."""
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.run")


class Shelf(Protocol):
    """Where lives stand that wait, until it is time for them to leave."""

    def parked(self, warm: Leaving, warm_s: float) -> None:
        """Let it `leave` after so many seconds, or earlier."""
        ...

    def woken(self, warm: Leaving) -> None:
        """It waits no more."""
        ...


class Stay:
    """A shelf that nobody leaves."""

    def parked(self, warm: Leaving, warm_s: float) -> None:
        """Let it stay."""

    def woken(self, warm: Leaving) -> None:
        """Let it go on."""


class Leaving:
    """One life's way out."""

    def __init__(self, life: Life, assigned: Assigned, manner: Manner, shelf: Shelf) -> None:
        self._life, self._manner, self._shelf = life, manner, shelf
        self._base = assigned.base
        self._looked_at = assigned.saved
        self._wants = False
        self.is_asked = False
        """Whether the server has been asked to take the run back with its snapshot."""

    def parked(self) -> None:
        """Leave in a while, now that the run waits."""
        if self._life.suspension is not None:
            self._shelf.parked(self, self._warm_s(self._life.suspension))

    def _warm_s(self, suspension: Suspension) -> float:
        question = standing(self._life.replay)
        place = None if question is None else question.place
        asked = [None if place is None else place.keep_warm_ms, suspension.keep_warm_ms]
        said = next((ms for ms in asked if ms is not None), None)
        always = self._manner.snapshots == "always"
        return 0.0 if always else self._manner.keep_warm_s if said is None else said / 1_000

    def woken(self) -> None:
        """Stay: there are news."""
        self.is_asked = self._wants = False
        self._shelf.woken(self)

    def refused(self, key: str) -> None:
        """Stay, if it was the snapshot that the server does not take: it has no key."""
        if not key:
            self.is_asked = False

    def acknowledged(self) -> None:
        """Leave now, if that was put off until the server had answered."""
        if self._wants:
            self.leave()

    def leave(self) -> bool:
        """Ask to leave. Tell whether that may succeed, now or soon."""
        life = self._life
        if life.is_gone or not life.parking.is_parked or life.suspension is None:
            return False
        self._wants = not life.ledger.only_waits
        if self._wants:
            return True
        self.is_asked = self._saved(life.suspension, leaves=True)
        return self.is_asked

    def put_away(self) -> None:
        """Drop the code where it stands: it is saved, and none of it runs here any more."""
        life, question = self._life, standing(self._life.replay)
        waiter = None if question is None else question.waiter
        if life.suspension is None or waiter is None:
            life.drop()
            return
        life.is_gone = life.crew.is_dismissed = True
        life.gate.close()
        try:
            life.suspension.put_away()
        except NotPutAway as error:
            _log.warning("code did not let go of its wait", run=life.run_id, why=str(error))
            life.drop()
            return
        # What was awaited is gone: the task fails in our own code, which says nothing of it.
        waiter.set_result(None)
        life.course.when_over(lambda: _forget(life))

    def stands(self) -> None:
        """Save the run where it stands, if there is much that a replay would repeat."""
        life = self._life
        if life.suspension is not None and self._fresh >= SAVED_EVERY:
            life.ledger.compose(self._save_here)

    @property
    def _fresh(self) -> int:
        return self._life.replay.journal.next_n - self._looked_at

    def _save_here(self) -> None:
        life = self._life
        if life.is_gone or self.is_asked or self._fresh < SAVED_EVERY:
            return
        if life.suspension is not None and life.ledger.only_waits:
            self._saved(life.suspension, leaves=False)

    def _saved(self, suspension: Suspension, *, leaves: bool) -> bool:
        """Post a snapshot; say once of each place why there can be none."""
        life = self._life
        if (why := _why_not_yet(life.replay.journal)) is not None:
            self._say(why)
            return False
        seen = self._looked_at = life.replay.journal.next_n
        before = life.opening.opened
        weight = life.asking.bytes + (0 if before is None else before.weight)
        is_long = seen - self._base > JOURNAL_KEPT or weight > JOURNAL_KEPT_BYTES
        drops = is_long and self._manner.drops
        # Sources are large; a run that can be replayed needs none.
        only_this = drops or self._base > 0
        place = place_of(life.run_id, seen)
        try:
            body, footing = suspension.saved(place, 0 if drops else weight, takes_sources=only_this)
        except CannotSave as error:
            self._say(error)
            return False
        except Exception:  # noqa: BLE001
            # Whatever it is, it must not keep what the other runs say from being sent.
            _log.exception("a run could not be saved, which is a bug", run=life.run_id)
            return False
        saved = channel.Saved(
            life.run_id, life.epoch, seen, body, drops=drops, leaves=leaves, footing=footing
        )
        life.ledger.say(saved)
        return True

    def _say(self, error: CannotSave) -> None:
        key = f"snapshot {error.place}"
        if key not in self._manner.warned:
            self._manner.warned.add(key)
            _log.warning(
                "a run that waits cannot be saved: it stays in memory",
                why=error.message,
                task=self._life.task_id,
                run=self._life.run_id,
            )


def _why_not_yet(journal: Journal) -> CannotSave | None:
    """Say why a snapshot would lose answers: it stands for all entries, told or not."""
    if journal.is_replaying:
        why = "it waits at a place that was accepted as inserted, before answers that are recorded"
        return CannotSave(why, f"behind {journal.turn}")
    if (key := journal.unasked) is not None:
        return CannotSave(f"{key} was accepted as inserted, and has not been asked yet", key)
    return None


def _forget(life: Life) -> None:
    """Let go of all parts: they hold each other, and would wait for the collector."""
    forget(life.replay)
    life.crew.forget()
    vars(life).clear()
    life.is_gone = True
