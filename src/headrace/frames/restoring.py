"""`restore`: makes a coroutine again that goes on after the await where it was saved.

Owns: entering the frames of a snapshot one in another. Must never know: trees, or pickling.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import CellType, CodeType, FrameType
from typing import Any, cast

from headrace.frames import rebuilding
from headrace.frames.errors import FramesError, NotRestored
from headrace.frames.kept import Kept, Tells
from headrace.frames.registry import Ref, plan_of
from headrace.frames.runtime import Broken, Ticket, pending
from headrace.frames.saved import Frame, Saved
from headrace.frames.suspended import Closing, Coroutine, Defaulting, Generator
from headrace.frames.values import Loader


def restore(
    saved: Saved | bytes, leaf: Callable[[Any], Awaitable[Any]], tells: Tells | None = None
) -> Coroutine:
    """Return a coroutine that has not begun; begun, it goes on where the snapshot was made.

    There it awaits `leaf(token)`, and what that gives or raises, the user's code is given. Raises
    SourceChanged where a function is not the one that was saved, and NotRestored, from here or
    from the first `send`, where a value cannot be loaded; no code of the user has run then.

    If the snapshot has sources, a function that is another now goes on as it was, and `tells` is
    told its name and its module. What it calls is today's.
    """
    one = saved if isinstance(saved, Saved) else Saved.of(bytes(saved))
    find = _finding(Kept(one.kept, tells)) if one.kept else rebuilding.code_at
    try:
        codes = [find(frame.ref) for frame in one.frames]
        chain = _Chain(one, codes, leaf, find)
        coroutine: Coroutine = chain.made(0)
    except FramesError:
        raise
    except Exception as error:
        raise NotRestored(str(error)) from error
    frame = cast("FrameType", coroutine.cr_frame)

    def forget(_: object) -> None:
        pending.pop(frame, None)

    chain.forgotten = weakref.ref(coroutine, forget)
    return coroutine


def _finding(kept: Kept) -> rebuilding.Find:
    """Return what finds today's code where it is the same, and else that which was saved."""

    def find(ref: Ref) -> CodeType:
        try:
            return rebuilding.code_at(ref)
        except NotRestored:
            # A source alone is of no use: its globals are those of the module.
            code = kept.code(ref) if ref.module in sys.modules else None
            if code is None:
                raise
            return code

    return find


@dataclass(frozen=True, slots=True)
class _Entry:
    chain: _Chain
    number: int

    def entered(self, cells: Mapping[str, CellType]) -> Ticket:
        """Load the frame's variables over its cells."""
        return self.chain.entered(self.number, cells)


class _Chain:
    def __init__(
        self,
        saved: Saved,
        codes: list[CodeType],
        leaf: Callable[[Any], Awaitable[Any]],
        find: rebuilding.Find,
    ) -> None:
        self._saved, self._codes, self._leaf = saved, codes, leaf
        self._cells: dict[int, Mapping[str, CellType]] = {}
        instead = {
            (rebuilding.__name__, name): partial(call, find=find)
            for name, call in rebuilding.MAKERS.items()
            if saved.kept
        }
        self._loader = Loader(saved.blob, self._held, instead)
        self.forgotten: weakref.ref[Any] | None = None

    def _held(self, known: tuple[int, str]) -> CellType:
        number, name = known
        return self._cells[number][name]

    def made(self, number: int) -> Any:
        """Make the frame of this number, as its caller awaits it."""
        frame = self._saved.frames[number]
        if frame.way:
            return self._asked(number, frame)
        closure = self._loader.load()["closure"] if self._codes[number].co_freevars else ()
        code = self._codes[number]
        coroutine = rebuilding.blank(frame.ref, cast("rebuilding.Cells", closure), lambda _: code)
        pending[coroutine.cr_frame] = _Entry(self, number)
        return coroutine

    def _asked(self, number: int, frame: Frame) -> Any:
        head = self._loader.load()
        if frame.way in {"held", "default"}:
            coroutine = cast("Coroutine", head["owner"])
            pending[cast("FrameType", coroutine.cr_frame)] = _Entry(self, number)
            return Defaulting(coroutine, head["default"]) if "default" in head else coroutine
        generator = cast("Generator", head["owner"])
        pending[cast("FrameType", generator.ag_frame)] = _Entry(self, number)
        if frame.way == "close":
            return Closing(generator)
        return anext(generator, head["default"]) if "default" in head else generator.asend(None)

    def entered(self, number: int, cells: Mapping[str, CellType]) -> Ticket:
        """Load a frame's variables, now that it has cells."""
        self._cells[number] = cells
        try:
            return Ticket(self._loader.load(self._slots(number)), partial(self._next, number))
        except Exception as error:
            raise Broken(str(error)) from error

    def _slots(self, number: int) -> tuple[str, ...]:
        plan = plan_of(self._codes[number])
        return () if plan is None else plan.slots

    def _next(self, number: int) -> Any:
        if number >= self._saved.depth:
            return None
        try:
            if number + 1 < self._saved.depth:
                return self.made(number + 1)
            self._take_up_generators()
            token = self._loader.load(("token",))["token"]
            self._over()
        except Exception as error:
            raise Broken(str(error)) from error
        return self._leaf(token)

    def _over(self) -> None:
        """Let go of the loader, whose memo has every value: it leads back here."""
        del self._loader
        self._cells.clear()

    def _take_up_generators(self) -> None:
        """Let every generator that nobody awaits go to its `yield`, now that all have values."""
        for number in range(self._saved.depth, len(self._saved.frames)):
            try:
                self.made(number).send(None)
            except StopIteration:
                continue
            raise AssertionError("a generator did not come to its yield")
