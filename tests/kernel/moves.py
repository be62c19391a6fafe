"""What may happen to a run next, the likely more often than the odd.

Owns: the choice. Must never know: what the kernel does about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import strategies as st

from headrace.kernel import commands as c
from headrace.kernel.journal import ACCEPTED, inserting, skipping
from headrace.kernel.machine import due, holder
from headrace.kernel.model import (
    Blocked,
    Delayed,
    Over,
    Queued,
    Retry,
    Retrying,
    Running,
    Waiting,
    later,
)
from tests.kernel.world import AWAITED, CAUSE, WORKERS, Step, World, next_n


@dataclass(frozen=True, slots=True)
class Choice:
    """One throw of the dice: which move, and with what."""

    which: int
    ms: int
    one: int
    yes: bool


CHOICES = st.builds(
    Choice,
    which=st.integers(0, 999),
    ms=st.sampled_from((0, 1, 300, 2_000)),
    one=st.integers(0, 2),
    yes=st.booleans(),
)
Move: TypeAlias = Callable[[World, Choice], Step | None]


def move(world: World, choice: Choice) -> Step | None:
    """Do one of the moves that are likely in this state; one time in eight, any at all."""
    moves = EVERY if choice.which % 8 == 0 else LIKELY[type(world.run.state)]
    return moves[choice.which // 8 % len(moves)](world, choice)


def _pass_time(world: World, choice: Choice) -> Step | None:
    world.now = later(world.now, choice.ms)
    return world.elapse() if choice.yes else None


def _wait_until_due(world: World, _choice: Choice) -> Step | None:
    moment = due(world.run)
    if moment is not None:
        world.now = max(world.now, moment)
    return world.elapse()


def _send(world: World, choice: Choice) -> Step | None:
    return world.send(AWAITED[choice.one % len(AWAITED)])


def _append_unheard(world: World, choice: Choice) -> Step | None:
    """Another process appends; nobody here has heard of it yet."""
    world.append(AWAITED[choice.one % len(AWAITED)])
    return None


def _claim(world: World, choice: Choice) -> Step | None:
    return world.claim(WORKERS[choice.one % len(WORKERS)])


def _lose(world: World, _choice: Choice) -> Step | None:
    worker = holder(world.run)
    return None if worker is None else world.play(c.Lose(worker))


def _cancel(world: World, choice: Choice) -> Step | None:
    return world.play(c.Cancel(choice.ms))


def _reschedule(world: World, choice: Choice) -> Step | None:
    return world.play(c.Reschedule(later(world.now, choice.ms)))


def _unblock(world: World, _choice: Choice) -> Step | None:
    return world.play(c.Unblock())


def _restart(world: World, _choice: Choice) -> Step | None:
    return world.play(c.Restart())


def _accept(world: World, choice: Choice) -> Step | None:
    """Accept that an entry is not asked for, or that a question is asked out of turn."""
    known = {entry.key for entry in world.journal}
    entries = [skipping(entry) for entry in world.journal if entry.kind not in ACCEPTED]
    entries.append(inserting(world.next_key()))
    fresh = [entry for entry in entries if entry.key not in known]
    return world.play(c.Accept((fresh[choice.which % len(fresh)],))) if fresh else None


def _stand(world: World, choice: Choice) -> Step | None:
    timeout = None if choice.which % 3 else choice.ms
    return world.stand(AWAITED[choice.one % len(AWAITED)], timeout, held=choice.yes)


def _sleep(world: World, choice: Choice) -> Step | None:
    return world.stand(None, choice.ms, held=True)


def _park(world: World, choice: Choice) -> Step | None:
    behind = choice.which % 7 == 0
    return world.play(c.Park(world.run.epoch, next_n(world) - behind))


def _save(world: World, choice: Choice) -> Step | None:
    behind = choice.which % 7 == 0
    leaves = choice.one != 0
    return world.play(
        c.Save(world.run.epoch, next_n(world) - behind, b"s", drops=choice.yes, leaves=leaves)
    )


def _leave(world: World, choice: Choice) -> Step | None:
    if not world.run.waits:
        return None
    key = world.run.waits[choice.one % len(world.run.waits)].key
    return world.play(c.Leave(world.run.epoch, key))


def _remember(world: World, choice: Choice) -> Step | None:
    return world.remember("step", fails=choice.yes)


def _fail(world: World, choice: Choice) -> Step | None:
    policy = Retry(first_ms=choice.ms, jitter=False)
    return world.fail(policy, undo=choice.yes, again=choice.which % 11 != 0)


def _release(world: World, _choice: Choice) -> Step | None:
    return world.play(c.Release(world.run.epoch))


def _block(world: World, _choice: Choice) -> Step | None:
    return world.play(c.Block(world.run.epoch, CAUSE))


def _end(world: World, choice: Choice) -> Step | None:
    epoch = world.run.epoch
    return world.play(c.Complete(epoch, b"1") if choice.yes else c.Yield(epoch))


def _say_late(world: World, choice: Choice) -> Step | None:
    stale = world.run.epoch - 1
    return world.play((c.Park(stale), c.Release(stale), c.Complete(stale, b"stale"))[choice.one])


EVERY: tuple[Move, ...] = (
    _accept,
    _append_unheard,
    _block,
    _cancel,
    _claim,
    _end,
    _fail,
    _leave,
    _lose,
    _park,
    _pass_time,
    _release,
    _remember,
    _reschedule,
    _restart,
    _save,
    _say_late,
    _send,
    _sleep,
    _stand,
    _unblock,
    _wait_until_due,
)
_ASLEEP: tuple[Move, ...] = (_wait_until_due, _wait_until_due, _pass_time, _send)
LIKELY: dict[type, tuple[Move, ...]] = {
    Delayed: (*_ASLEEP, _reschedule),
    Retrying: _ASLEEP,
    Queued: (_claim, _claim, _claim, _claim, _send, _pass_time),
    Running: (
        *(_stand,) * 6,
        *(_park,) * 5,
        *(_send,) * 4,
        *(_fail, _append_unheard, _sleep, _remember, _lose, _leave, _wait_until_due) * 2,
        _save,
        _release,
        _pass_time,
    ),
    Waiting: (
        *(_send, _wait_until_due, _save) * 2,
        _leave,
        _lose,
        _release,
        _stand,
    ),
    Blocked: (*(_unblock, _restart, _accept) * 2, _send, _wait_until_due),
    Over: EVERY,
}
