"""One run of a program: the same answers and errors at the same suspensions, whoever runs it.

Owns: what is sent and thrown in, what is compared. Must never know: how programs are written.
"""

from __future__ import annotations

import asyncio
import random
import sys
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, cast

from tests.frames.fuzz.world import JOURNAL, Ended, Oops
from tests.frames.parking import Coro, Parked

SUSPENSIONS_AT_MOST: Final = 80
COMPREHENSIONS: Final = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
Hop = Callable[[Coro], tuple[Coro, Parked[object] | None]]


@dataclass(frozen=True, slots=True)
class Input:
    """What a run begins with, and the chance that decides what it is given."""

    x: int
    seed: int
    throws: float


def inputs(seed: int) -> tuple[Input, ...]:
    """Return what a program is run with."""
    return Input(0, seed, 0.0), Input(5, seed + 1, 0.03), Input(8, seed + 2, 0.12)


@dataclass(frozen=True, slots=True)
class Trace:
    """All that can be seen of a run."""

    outcome: str
    notes: tuple[str, ...]
    lines: tuple[tuple[str, int], ...]
    suspensions: int


def stay(coroutine: Coro) -> tuple[Coro, Parked[object] | None]:
    """Go on with the same coroutine."""
    return coroutine, None


def _given(rng: random.Random, chance: float, tag: object) -> object:
    if rng.random() < chance:
        kind = rng.randrange(4)
        code = rng.randrange(9)
        thrown = (ValueError(code), KeyError(code), asyncio.CancelledError(), Oops(code, why="in"))
        return thrown[kind]
    return tag if isinstance(tag, int) and rng.random() < 0.3 else rng.randrange(12)


def run(module: ModuleType, told: Input, hop: Hop = stay) -> Trace:
    """Run a program to its end, or as far as it may go."""
    with _world(module):
        rng = random.Random(told.seed)  # noqa: S311 - no secret
        coroutine: Coro = module.main(told.x)
        count = 0
        try:
            at = cast("Parked[object]", coroutine.send(None))
            while count < SUSPENSIONS_AT_MOST:
                count += 1
                JOURNAL.notes.append(f"wait {at.tag!r}")
                coroutine, other = hop(coroutine)
                if other is not None and repr(other.tag) != repr(at.tag):
                    JOURNAL.notes.append(f"came back waiting for {other.tag!r}")
                at = _answered(coroutine, _given(rng, told.throws, at.tag))
        except StopIteration as over:
            return Trace(f"returned {over.value!r}", tuple(JOURNAL.notes), (), count)
        except BaseException as error:  # noqa: BLE001 - it is what came of it
            lines = () if isinstance(error, Ended) else tuple(_lines(error, module))
            return Trace(f"raised {described(error)}", tuple(JOURNAL.notes), lines, count)
        trace = Trace("went on", tuple(JOURNAL.notes), (), count)
        _ended(coroutine)
        return trace


def _answered(coroutine: Coro, given: object) -> Parked[object]:
    if isinstance(given, BaseException):
        return cast("Parked[object]", coroutine.throw(given))
    return cast("Parked[object]", coroutine.send(given))


def _ended(coroutine: Coro) -> None:
    """End a program that would go on; nothing that it does now is looked at."""
    for _ in range(SUSPENSIONS_AT_MOST):
        JOURNAL.fill()
        try:
            coroutine.throw(Ended())
        except BaseException:  # noqa: BLE001 - it has ended
            return


@contextmanager
def _world(module: ModuleType) -> Generator[None]:
    """Begin with an empty journal; leave generators that nobody closes alone."""
    JOURNAL.begin()
    module.__dict__["G"] = 0
    left: list[Any] = []
    hooks, hook = sys.get_asyncgen_hooks(), sys.unraisablehook
    sys.set_asyncgen_hooks(firstiter=None, finalizer=left.append)
    sys.unraisablehook = lambda wrong: JOURNAL.notes.append(f"ignored {wrong.exc_value!r}")
    try:
        yield
    finally:
        # Once finalized, they are freed without a word.
        left.clear()
        sys.set_asyncgen_hooks(*hooks)
        sys.unraisablehook = hook


def described(error: BaseException | None, depth: int = 6) -> str:
    """Say everything about an error that a program can see."""
    if error is None or depth == 0:
        return "-"
    parts = [f"{type(error).__name__}({error})"]
    if isinstance(error, BaseExceptionGroup):
        inside = cast("BaseExceptionGroup[BaseException]", error).exceptions
        parts.append(f"of {[described(each, depth - 1) for each in inside]}")
    parts.append(f"cause {described(error.__cause__, depth - 1)}")
    parts.append(f"context {described(error.__context__, depth - 1)}")
    parts.append(f"suppressed {error.__suppress_context__}")
    parts.append(f"notes {vars(error).get('__notes__', [])}")
    return "; ".join(parts)


def _lines(error: BaseException, module: ModuleType) -> Iterator[tuple[str, int]]:
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        if code.co_filename == module.__file__ and code.co_name not in COMPREHENSIONS:
            yield code.co_name, line
