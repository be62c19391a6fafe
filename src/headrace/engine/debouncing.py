"""Triggers that put a delayed run off, instead of starting another beside it.

Owns: what a debounce may say, and until when it puts a run off. That of many at once each counts is
the desk's business, that a run stands under a key once the store's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from headrace.engine.core import Core
from headrace.engine.sheet import Push, Sheet
from headrace.errors import BadRequest, Mistake
from headrace.kernel.commands import Reschedule
from headrace.kernel.evolve import evolve
from headrace.kernel.model import Delayed, Instant, Limits, Run, RunId, later
from headrace.ports import NEVER, Debouncing, Postponed, Spent
from headrace.wire import durations
from headrace.wire.views import Debounce

LONGEST_KEY: Final = 512
LEAST_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Delay:
    """How long a trigger puts a run off, and what of the run becomes that of the trigger."""

    key: str
    ms: int
    most_ms: int | None = None
    trailing: bool = False

    def under(self, now: Instant) -> Debouncing:
        """Return which runs it puts off: those that may still begin so late."""
        if self.most_ms is None:
            return Debouncing(self.key)
        return Debouncing(self.key, Instant(max(NEVER, later(now, self.ms - self.most_ms))))

    def until(self, run: Run, before: Instant, now: Instant) -> Instant:
        """Return when the run begins: never earlier than it was to, nor later than it may."""
        put_off = later(now, self.ms)
        if self.most_ms is not None:
            put_off = min(put_off, later(run.created, self.most_ms))
        return max(before, put_off)


def asked(debounce: Debounce | None) -> Delay | None:
    """Read what a trigger says, strictly."""
    if debounce is None:
        return None
    if not 0 < len(debounce.key) <= LONGEST_KEY:
        raise Mistake(f"a debounce key has 1 to {LONGEST_KEY} characters")
    most_ms = None if debounce.max_delay is None else _ms("maxDelay", debounce.max_delay)
    trailing = debounce.mode == "trailing"
    return Delay(debounce.key, _ms("delay", debounce.delay), most_ms, trailing)


def _ms(name: str, text: str) -> int:
    try:
        ms = durations.duration_ms(text)
    except BadRequest as error:
        raise Mistake(f"debounce.{name}: {error.message}", hint=error.hint) from None
    if ms < LEAST_MS:
        raise Mistake(f"debounce.{name} is at least a second, not {text}")
    return ms


@dataclass(frozen=True, slots=True)
class Given:
    """The limits that a trigger itself names, and not its task."""

    max_attempts: int | None = None
    max_duration_ms: int | None = None

    def over(self, limits: Limits) -> Limits:
        """Return them, and those of the run where there are none."""
        attempts, longest = self.max_attempts, self.max_duration_ms
        return evolve(
            limits,
            max_attempts=limits.max_attempts if attempts is None else attempts,
            max_duration_ms=limits.max_duration_ms if longest is None else longest,
        )


async def put_off(core: Core, run_id: RunId, delay: Delay, given: Given, said: Postponed) -> bool:
    """Have the run begin later; False if it has begun. `Spent` if the trigger's ticket was used."""
    push = Push(said)
    found = await core.post(run_id, _PutOff(delay, given, push))
    if found is push and push.is_spent:
        raise Spent
    return found is push


@dataclass(frozen=True, slots=True)
class _PutOff:
    """The job of putting a run off, as long as it is delayed."""

    delay: Delay
    given: Given
    push: Push

    async def __call__(self, sheet: Sheet) -> object:
        run = sheet.run
        if not isinstance(run.state, Delayed):
            return None
        until = self.delay.until(run, run.state.until, sheet.now)
        limits = self.given.over(run.limits) if self.delay.trailing else None
        sheet.apply(Reschedule(until, limits))
        sheet.pushes.append(self.push)
        return self.push
