"""The runs that this worker holds.

Owns: which life belongs to a push, and a life's beginning and end here.
Must never know: the connection.
"""

from __future__ import annotations

import contextvars
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

import structlog

from headrace.sdk.execution import Execution, Runnable, make_current
from headrace.sdk.execution_ledger import Outbox
from headrace.sdk.execution_life import Life, Manner
from headrace.wire import channel
from headrace.wire.channel import Assigned, Holding, Operation, Push, Released
from headrace.worker.shelf import Shelf
from headrace.worker.turns import Turns

AGAIN_S: Final = 1.0
"""How long after a reconnect a run asks again to leave."""
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.worker")


class Holdings:
    """All lives, by run."""

    def __init__(
        self, tasks: Mapping[str, Runnable], outbox: Outbox, manner: Manner, shelf: Shelf
    ) -> None:
        self._tasks, self._outbox, self._manner, self._shelf = tasks, outbox, manner, shelf
        self._lives: dict[str, Life] = {}
        self.takes_more = True
        self.unwinds = True
        """Whether the code of a run that was given back is ended here."""
        self._put_away: list[Life] = []
        self._turns = Turns()

    def __len__(self) -> int:
        return len(self._lives)

    @property
    def is_at_rest(self) -> bool:
        """Tell whether no run here will move before somebody else does something."""
        return all(life.is_at_rest for life in self._lives.values())

    def hear(self, push: Push) -> None:
        """Give a push to the run that it is about."""
        life = self._lives.get(push.run)
        match push:
            case Assigned():
                self._assigned(push, life)
            case _ if life is None or life.epoch != push.epoch:
                pass  # of a hold that is over
            case channel.Refusal(code=channel.FAULT, message=why):
                _log.error("the server has a bug at this run; dropped here", run=push.run, why=why)
                del self._lives[push.run]
                life.drop()
            case channel.Ended() | channel.Fenced():
                del self._lives[push.run]
                self._let_go(life, push)
            case _ if self._turns.keep(life, push):
                pass
            case _:
                life.receive(push)

    def _assigned(self, assigned: Assigned, life: Life | None) -> None:
        if life is not None and life.epoch >= assigned.epoch and not life.opening.is_unfit:
            return  # told twice
        if life is not None:
            life.drop()
            del self._lives[assigned.run]
        runnable = self._tasks.get(assigned.task)
        if runnable is None or not self.takes_more:
            self._outbox.post(Released(assigned.run, assigned.epoch))
            return
        life = Life(assigned, runnable, self._outbox, self._manner, self._shelf)
        self._lives[assigned.run] = life
        self._turns.begin(life, len(assigned.entries), partial(_begin, life))

    def _let_go(self, life: Life, push: Push) -> None:
        way_out = life.way_out
        self._shelf.woken(way_out)
        if way_out.is_asked:
            way_out.put_away()  # it is saved; or another worker has it, and has what was saved
            self._shelf.gone()
            return
        if isinstance(push, channel.Fenced):
            _log.warning("another worker has this run now; it is dropped here", run=push.run)
        elif life.is_given_back and not self.unwinds:
            self._put_away.append(life)
            return
        life.drop()

    def holdings(self) -> tuple[Holding, ...]:
        """Say what is held, and what is known of it."""
        lives = self._lives.items()
        return tuple(Holding(run, life.epoch, life.replay.journal.next_n) for run, life in lives)

    def come_back(self) -> None:
        """See which runs still want to leave: what was asked of the lost connection may be lost."""
        for life in self._lives.values():
            if life.way_out.is_asked:
                self._shelf.parked(life.way_out, AGAIN_S)

    def unanswered(self) -> Iterator[Operation]:
        """Yield what must be posted again."""
        for life in self._lives.values():
            yield from life.ledger.unanswered()

    def release(self, *, parked_only: bool) -> None:
        """Give runs back: all, or those that wait."""
        for life in self._lives.values():
            if self._turns.holds(life):
                life.release()
            elif life.parking.is_parked or not parked_only:
                self._give_back(life, parked_only=parked_only)

    def _give_back(self, life: Life, *, parked_only: bool) -> None:
        """Save it if that can be; while the server has not said so, do not ask again."""
        way_out = life.way_out
        if parked_only and (way_out.is_asked or way_out.leave()):
            return
        self._shelf.woken(way_out)
        life.release()

    def abandon(self) -> None:
        """Drop everything: nobody is there any more to give it back to."""
        for life in self._lives.values():
            if self.unwinds:
                life.drop()
            else:
                self._put_away.append(life)
        self._lives.clear()


def _begin(life: Life) -> None:
    context = contextvars.copy_context()
    context.run(make_current, Execution(life))
    life.begin(context)
