"""Tasks whose runs leave their worker while they wait, as workers are killed.

What they count lies in their variables, so that code which ran twice, or was lost, is seen: each
writes down what it asks for, what it is given, and what its variables hold then. `finally` and
`__aexit__` write that they ran. Every `MARK_EVERY` values a step leaves a mark in the journal.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from weakref import WeakKeyDictionary

from headrace import Ok, Task, TimedOut, current_run, step, task, wait
from headrace.sdk.deadlines import Duration
from tests.chaos.workload import END, HISTORY, MARK_EVERY, by_wait, digest
from tests.history import events as e

PATIENCE: Final = "3s"
NAP_EVERY: Final = 4
NAP: Final = 0.15
ROUND: Final = 3
WARM_S: Final = (0.0, 0.0, 0.02, 0.1, 0.4)

_pens: Final[list[e.Pen]] = []
_lives: Final[WeakKeyDictionary[asyncio.Task[Any], str]] = WeakKeyDictionary()


def _pen() -> e.Pen:
    """Return this process's history. What is written survives its kill."""
    if not _pens:
        path = Path(os.environ[HISTORY], f"worker-{os.getpid()}-{e.instant()}.jsonl")
        _pens.append(e.Pen(path, sync=False))
    return _pens[0]


def _life() -> str:
    """Name what executes the code right now. No variable of the code has it: those are saved."""
    branch = asyncio.current_task()
    if branch is None:
        raise RuntimeError("no task runs here")
    return _lives.setdefault(branch, f"{os.getpid()}.{e.instant()}")


@dataclass(slots=True)
class Account:
    """What a run has in its variables."""

    run: str
    answers: int = 0
    values: int = 0
    total: str = ""

    @property
    def _place(self) -> str:
        return f"{by_wait.id}#{self.answers}"

    @property
    def warm_s(self) -> Duration:
        """Choose how long to stay at the next wait: another time each time, the same in replays."""
        return WARM_S[int(self.total or "0", 16) % len(WARM_S)]

    @property
    def is_marked(self) -> bool:
        """Tell whether it is time for a mark."""
        return self.values % MARK_EVERY == MARK_EVERY - 1

    def asks(self) -> None:
        """Write down that the code asks for the next value."""
        place, life = self._place, _life()
        asked = e.TakeInvoke(
            at=e.instant(), run=self.run, stream=by_wait.id, place=place, life=life
        )
        _pen().write(asked)

    def given(self, message: str | None) -> bool:
        """Write down what came, None for a timeout, and what is held; tell if that was all."""
        place, life, seen = self._place, _life(), "" if message is None else digest(message)
        self.answers += 1
        if message is not None:
            self.values, self.total = self.values + 1, e.folded(self.total, seen)
        at = e.instant()
        _pen().write(
            e.TakeOk(
                at=at,
                run=self.run,
                stream=by_wait.id,
                place=place,
                life=life,
                verb="wait",
                ending="timeout" if message is None else "value",
                digest=seen,
            ),
            e.Carried(
                at=at, run=self.run, place=place, life=life, values=self.values, total=self.total
            ),
        )
        return message == END

    def slept(self) -> None:
        """Count the answer of a timer."""
        self.answers += 1

    def unwinds(self) -> None:
        """Write down that the code comes to its end."""
        _pen().write(e.Unwound(at=e.instant(), run=self.run, life=_life(), answers=self.answers))

    def shown(self) -> dict[str, int]:
        """Return what the task returns."""
        return {"answers": self.answers, "values": self.values}


@dataclass(slots=True)
class Bracket:
    """Sees that `__aexit__` runs once, at the end."""

    account: Account

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.account.unwinds()


@step
async def mark() -> int:
    """Leave the time in the journal: a later entry that is older was written by the dead."""
    return e.instant()


@task(max_attempts=1, keep_warm="0s")
async def at_once() -> Mapping[str, int]:
    """Leave at every wait."""
    account = Account(current_run().id)
    try:
        while True:
            account.asks()
            match await by_wait.wait(timeout=PATIENCE):
                case Ok(output=message):
                    if account.given(message):
                        return account.shown()
                case TimedOut():
                    account.given(None)
            if account.is_marked:
                await mark()
    finally:
        account.unwinds()


@task(max_attempts=1)
async def now_and_then() -> Mapping[str, int]:
    """Leave after a while that is another one each time, out of a call, a loop and a block."""
    account, is_over = Account(current_run().id), False
    async with Bracket(account):
        while not is_over:
            is_over = await _round(account)
            if account.is_marked:
                await mark()
    return account.shown()


async def _round(account: Account) -> bool:
    before = account.values
    for turn in range(ROUND):
        account.asks()
        found = await by_wait.wait(timeout=PATIENCE, keep_warm=account.warm_s)
        if account.given(found.output if isinstance(found, Ok) else None):
            return True
        if turn == ROUND - 1 and account.values - before > ROUND:
            raise AssertionError(f"{account.values - before} values in {ROUND} turns")
    return False


@task(max_attempts=1, keep_warm="0s")
async def with_naps() -> Mapping[str, int]:
    """Leave at waits and at timers."""
    account = Account(current_run().id)
    try:
        while True:
            account.asks()
            found = await by_wait.wait(timeout=PATIENCE)
            if account.given(found.output if isinstance(found, Ok) else None):
                return account.shown()
            if account.answers % NAP_EVERY == 0:
                await wait.for_(NAP)
                account.slept()
    finally:
        account.unwinds()


TASKS: Final[tuple[Task[None, Mapping[str, int]], ...]] = (at_once, now_and_then, with_naps)
