"""What the branches of a run wait for, read from their suspended code.

Owns: telling a branch that only an answer, or another branch, can wake from one that something
else may wake (a socket, a timer, a thread, another run). In doubt it is something else: a run that
is wrongly taken for idle would lose that wake-up when it turns cold.
Must never know: the journal, what an answer is.
"""

from __future__ import annotations

import asyncio
import gc
import math
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from functools import lru_cache
from types import AsyncGeneratorType, CodeType, CoroutineType, GeneratorType, MethodType
from typing import Any, TypeAlias, cast

import anyio

from headrace.sdk.lines import line_at
from headrace.sdk.scope import Branch, Crew

Frame: TypeAlias = "CoroutineType[Any, Any, Any] | GeneratorType[Any, Any, Any]"
_FRAMES: tuple[type, ...] = (CoroutineType, GeneratorType)
_LINKS: dict[type, str] = {
    CoroutineType: "cr_await",
    GeneratorType: "gi_yieldfrom",
    AsyncGeneratorType: "ag_await",
}
Waiter: TypeAlias = asyncio.Future[Any]
_DEEPEST = 1_000


class Stance(Enum):
    """What a branch waits for."""

    PARKS = "an answer, for which the run may be put away"
    LISTENS = "the next message for a handler"
    ASKS = "an answer that comes soon"
    BRANCHES = "other branches"
    SIGNALS = "an event, a lock or a queue of asyncio, which something else may set"
    TIMED = "what a run is put away for, but inside a timer of this process"
    WORLD = "something else, or it is about to move"


MOVES = frozenset({Stance.TIMED, Stance.WORLD})
"""Stances of branches that may go on by themselves."""
Asked: TypeAlias = Callable[[Waiter], Stance | None]
"""Tells what stands behind a waiter that an asker made; None for any other future."""


def waiter_of(branch: Branch) -> Waiter | None:
    """Return what the branch is suspended on; None while it runs or is about to."""
    waiter = cast("Waiter | None", getattr(branch, "_fut_waiter", None))
    return None if waiter is None or waiter.done() else waiter


def is_moving(crew: Crew) -> bool:
    """Tell whether any branch is about to run."""
    return any(waiter_of(branch) is None for branch in crew.members if not branch.done())


def is_outside(crew: Crew, asked: Asked, within: frozenset[Stance]) -> bool:
    """Tell, as far as it shows without a look at the code, that some branch is not `within`."""
    live = (waiter_of(branch) for branch in crew.members if not branch.done())
    shown = {Stance.WORLD if waiter is None else asked(waiter) for waiter in live}
    if crew.computes:
        shown.add(Stance.WORLD)
    return not shown <= within | {None}


def stances(
    crew: Crew, asked: Asked, *, settled: bool, timed: Callable[[str], None] | None = None
) -> tuple[Stance, ...]:
    """Say of each live branch what it waits for.

    `settled` says that nothing has moved for a while: a branch that ended, then, is known to have
    ended by whoever waited for it. `timed` is told the line of each branch that is `TIMED`.
    """
    live = [branch for branch in crew.members if not branch.done()]
    looks = [_Look(branch, crew, asked, settled=settled) for branch in live]
    found = tuple(look.stance() for look in looks)
    if timed is not None and Stance.TIMED in found:
        for look, stance in zip(looks, found, strict=True):
            if stance is Stance.TIMED:
                timed(look.timed_line())
    return (*found, Stance.WORLD) if crew.computes else found


class _Look:
    """One look at one branch."""

    def __init__(self, branch: Branch, crew: Crew, asked: Asked, *, settled: bool) -> None:
        self._crew, self._asked, self._settled = crew, asked, settled
        self._waiter = waiter_of(branch)
        self._frames = tuple(_frames(branch))

    def stance(self) -> Stance:
        if self._waiter is None:
            return Stance.WORLD
        stance = self._untimed(self._waiter)
        if not any(_has_timer(frame) for frame in self._frames):
            return stance
        return Stance.TIMED if stance in {Stance.PARKS, Stance.BRANCHES} else Stance.WORLD

    def timed_line(self) -> str:
        """Return the line at which the code that has set the timer stands."""
        timed = next((frame for frame in self._frames if _has_timer(frame)), None)
        inner = (
            timed.cr_frame if isinstance(timed, CoroutineType) else getattr(timed, "gi_frame", None)
        )
        return "" if inner is None else line_at(inner)

    def _untimed(self, waiter: Waiter) -> Stance:
        stance = self._asked(waiter)
        if stance is not None:
            return stance
        if self._waits_for_branches(waiter):
            return Stance.BRANCHES
        innermost = self._frames[-1] if self._frames else None
        is_signal = isinstance(innermost, CoroutineType) and innermost.cr_code in _SIGNALS
        return Stance.SIGNALS if is_signal else Stance.WORLD

    def _waits_for_branches(self, waiter: Waiter) -> bool:
        if isinstance(waiter, asyncio.Task):
            return waiter in self._crew.members
        gathered = cast("Sequence[Waiter] | None", getattr(waiter, "_children", None))
        if gathered is not None:
            return self._are_branches(gathered)
        awaited = _group_in(self._frames[-1], waiter) if self._frames else None
        return awaited is not None and self._are_branches(awaited)

    def _are_branches(self, futures: Sequence[Waiter]) -> bool:
        """Tell whether some of them live, and only branches of this run."""
        ended = [future for future in futures if future.done()]
        if ended and not self._settled:
            return False  # whoever waits may be woken by it in the next tick
        live = [future for future in futures if not future.done()]
        return bool(live) and all(self._is_branch(future) for future in live)

    def _is_branch(self, future: Waiter) -> bool:
        return future in self._crew.members or (
            hasattr(future, "_children") and self._waits_for_branches(future)
        )


def _frames(branch: Branch) -> Iterator[Frame]:
    """Walk from a task's outermost coroutine to the innermost."""
    awaiting: object = branch.get_coro()
    for _ in range(_DEEPEST):
        if type(awaiting) in _FRAMES:
            yield cast("Frame", awaiting)
        awaiting = _next(awaiting)
        if awaiting is None:
            return


def _next(awaiting: object) -> object:
    link = _LINKS.get(type(awaiting))
    if link is not None:
        return cast("object", getattr(awaiting, link))
    # What stands between (`__await__`, `__anext__`) has no public link to its coroutine.
    linked: list[object] = gc.get_referents(awaiting)
    return next((one for one in linked if type(one) in _LINKS), None)


def _has_timer(frame: object, depth: int = 0) -> bool:
    """Tell whether code stands inside a timeout of the event loop's, which no journal knows.

    A context manager that is open is kept on the frame's stack, which only the collector shows.
    """
    for held in gc.get_referents(frame):
        manager: object = held.__self__ if isinstance(held, MethodType) else held
        if _may_time(type(manager)) and _is_timing(manager, depth):
            return True
    return False


def _is_of_timers(kind: type[Any]) -> bool:
    return issubclass(kind, (asyncio.Timeout, anyio.CancelScope)) or kind.__module__ == "contextlib"


_may_time = cast("Callable[[type[Any]], bool]", lru_cache(maxsize=1_024)(_is_of_timers))
"""Tells whether things of a type are worth a look. Nearly none are, and all come by often."""


def _is_timing(manager: object, depth: int) -> bool:
    match manager:
        case asyncio.Timeout():
            return manager.when() is not None and _is_set(manager, "_timeout_handler")
        case anyio.CancelScope():
            return manager.deadline < math.inf and _is_set(manager, "_active")
        case _:
            # The generator that `contextlib` has made a context manager of.
            inner: object = getattr(manager, "gen", None) if depth == 0 else None
            return inner is not None and _has_timer(inner, depth + 1)


def _is_set(manager: object, name: str) -> bool:
    """Tell whether a timeout is running, not over; in doubt it is."""
    return bool(getattr(manager, name, True))


def _group_in(frame: Frame, waiter: Waiter) -> Sequence[Waiter] | None:
    """Return what the innermost code waits for, where it is `asyncio.wait` or a task group."""
    if not isinstance(frame, CoroutineType) or frame.cr_frame is None:
        return None
    own = frame.cr_frame.f_locals
    if frame.cr_code is _WAIT:
        plain = own.get("timeout_handle") is None and own.get("waiter") is waiter
        return tuple(own["fs"]) if plain else None
    group = own.get("self")
    if frame.cr_code in _EXITS or _is_anyio_group(group):
        plain = getattr(group, "_on_completed_fut", None) is waiter
        return tuple(getattr(group, "_tasks", ())) if plain else None
    return None


def _is_anyio_group(group: object) -> bool:
    return isinstance(group, anyio.abc.TaskGroup)


def _code_of(owner: object, name: str) -> CodeType | None:
    return cast("CodeType | None", getattr(getattr(owner, name, None), "__code__", None))


# Private names of the standard library: where a version has none of them, a branch that waits
# there counts as waiting for something else, and the run is not put away.
_WAIT = _code_of(asyncio.tasks, "_wait")
_EXITS = frozenset(
    code for name in ("__aexit__", "_aexit") if (code := _code_of(asyncio.TaskGroup, name))
)
_SIGNALS = frozenset(
    _code_of(owner, name)
    for owner, name in (
        (asyncio.Event, "wait"),
        (asyncio.Lock, "acquire"),
        (asyncio.Condition, "wait"),
        (asyncio.Semaphore, "acquire"),
        (asyncio.Queue, "get"),
        (asyncio.Queue, "put"),
    )
)
