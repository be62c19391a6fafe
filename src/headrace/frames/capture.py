"""`save`: turns a suspended coroutine into a snapshot.

Owns: the order in which frames are dumped, whose cells are whose, and what cannot be saved.
Must never know: trees, or how values are pickled.

The frames are dumped outermost first with one memo. They are loaded in that order, each when it has
been entered and has made its own cells, so that what a frame holds can refer to the cells of the
frames around it, and not to those of frames further in.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import (
    AsyncGeneratorType,
    CellType,
    CoroutineType,
    FrameType,
    FunctionType,
    TracebackType,
)
from typing import Any, Final, cast

from headrace.frames import foreign, rebuilding
from headrace.frames.errors import NotSaved
from headrace.frames.kept import kept_of
from headrace.frames.nodes import CELLS, SITE
from headrace.frames.refusals import not_saved, unknown
from headrace.frames.registry import Plan, Ref, Unit, plan_of
from headrace.frames.runtime import cells_of
from headrace.frames.saved import Frame, Saved
from headrace.frames.suspended import (
    MISSING,
    Coroutine,
    Generator,
    Owner,
    Suspended,
    chain_of,
    code_of,
    function_of,
)
from headrace.frames.values import CannotSave, Dumper, Held, Hook, Reduction
from headrace.frames.values_errors import Refused

Leaf = Callable[[object], object | None]
alive: Final[weakref.WeakKeyDictionary[Any, list[weakref.ref[Any]]]] = weakref.WeakKeyDictionary()
"""The generators and calls in the variables of each coroutine that was saved."""


def save(coroutine: object, leaf: Leaf, *, takes_sources: bool = False) -> Saved:
    """Return a snapshot of a suspended coroutine, which stays as it is and can go on.

    `leaf` is given the innermost thing that is awaited and is no resumable frame; it returns what
    says which it is, in values that can be pickled, or None where it does not know it. Raises
    NotSaved, which names what is in the way. With `takes_sources` it can be restored when its
    functions have changed, as they are now.
    """
    made = _tried(coroutine, leaf, takes_sources=takes_sources)
    if isinstance(made, NotSaved):
        del coroutine, leaf  # whoever keeps the error must not keep the frames
        raise made
    return made


def _tried(coroutine: object, leaf: Leaf, *, takes_sources: bool) -> Saved | NotSaved:
    chain, awaited = chain_of(coroutine)
    token = leaf(awaited) if chain and awaited is not None else None
    if token is None:
        return unknown(coroutine, chain, awaited)
    found = _Capture(chain, takes_sources=takes_sources)
    try:
        found.dump_all(token)
        return found.saved()
    except NotSaved as error:
        error.__cause__ = error.__context__ = None
        return error.with_traceback(None)
    finally:
        if found.others:
            alive[coroutine] = [weakref.ref(one) for one in found.others]
        found.close()


class _Capture:
    def __init__(self, chain: list[Suspended], *, takes_sources: bool) -> None:
        self.frames = list(chain)
        self.depth = len(chain)
        self.others: list[Owner] = []
        self._cells: dict[int, tuple[int, str]] = {}
        self._loose: dict[int, CellType] = {}
        self._at = 0
        self._queued = {id(one.owner) for one in chain}
        self._locals: list[dict[str, Any]] = []
        self._met = set[int]()
        self._takes_sources = takes_sources
        self._units: list[Unit | None] = []
        """Those of the functions in values, if their sources are to be taken along."""
        self._hooks: dict[type, Hook] = {
            CellType: self._cell,
            FunctionType: self._function,
            AsyncGeneratorType: self._generator,
            CoroutineType: self._coroutine,
            TracebackType: _no_traceback,
        }
        self._dumper = Dumper(self._hooks)
        for number, one in enumerate(chain):
            self._known(number, one)

    def _known(self, number: int, one: Suspended) -> None:
        """Know a frame's variables and cells from now on."""
        variables = variables_of(one.frame)
        self._locals.append(variables)
        for name, cell in cells_of(variables.get(CELLS)).items():
            if id(cell) in self._loose:
                raise Refused(
                    f"a function outside has captured {name!r} of {one.plan.code.co_qualname}()",
                    "pass the value to it instead",
                )
            self._cells[id(cell)] = number, name

    def dump_all(self, token: object) -> None:
        """Dump the chain, then the generators that were found on the way, then the token."""
        while self._at < len(self.frames):
            self._dump(self.frames[self._at], self._locals[self._at])
            self._at += 1
        self._at = self.depth - 1
        try:
            self._dumper.dump({"token": token}, {"token": 0})
        except CannotSave as error:
            raise not_saved(error, self.frames[self.depth - 1]) from error

    def _dump(self, one: Suspended, variables: dict[str, Any]) -> None:
        if id(one.owner) in self._met and not one.way:
            one = self.frames[self._at] = replace(one, way="held")
        head = _head(one)
        try:
            if head is not None:
                self._at -= 1
                self._dumper.dump(head)
                self._at += 1
            self._dumper.dump(_kept(one.plan, variables), one.plan.numbers)
        except CannotSave as error:
            raise not_saved(error, one) from error

    def saved(self) -> Saved:
        """Return the snapshot."""
        frames = tuple(Frame(one.plan.ref, one.way) for one in self.frames)
        units = [*filter(None, self._units), *(one.plan.unit for one in self.frames)]
        kept = kept_of(units) if self._takes_sources else b""
        return Saved(frames, self.depth, self._dumper.blob(), kept)

    def close(self) -> None:
        """Let go of everything now: the hooks lead back here, so only the collector would."""
        self._hooks.clear()
        self.frames.clear()

    def _cell(self, cell: CellType) -> Held | None:
        known = self._cells.get(id(cell))
        if known is None:
            self._loose[id(cell)] = cell
            return None
        number, name = known
        if number > self._at:
            inner = self.frames[number].plan.code.co_qualname
            raise Refused(
                f"it has captured {name!r} of {inner}(), which was called further in",
                "pass it the value instead, or keep the function where it was made",
            )
        return Held((number, name))

    def _function(self, function: FunctionType) -> Reduction | None:
        ref = rebuilding.ref_of(function)
        if ref is None:
            return None
        plan = plan_of(function.__code__)
        if self._takes_sources:
            self._units.append(foreign.unit_of(function) if plan is None else plan.unit)
        state = _function_state(function)
        closure = function.__closure__ or ()
        return (rebuilding.function, (tuple(ref), closure), state, None, None, rebuilding.decorated)

    def _generator(self, generator: Generator) -> Reduction | None:
        frame = generator.ag_frame
        if frame is None:
            return (rebuilding.over, ())
        plan = plan_of(generator.ag_code)
        if plan is None:
            return None
        if id(generator) not in self._queued:
            if plan.made is None or SITE not in frame.f_locals:
                self.others.append(generator)
                self._units.append(plan.unit)
                return _unbegun(generator, frame, plan.ref)
            if generator.ag_running:
                raise Refused("it is under way in another task", "await it before the wait")
            self._queue(Suspended(generator, frame, plan, None, "yield"))
        return (rebuilding.blank, (tuple(plan.ref), closure_of(generator)))

    def _queue(self, one: Suspended) -> None:
        self._queued.add(id(one.owner))
        self.others.append(one.owner)
        self._known(len(self.frames), one)
        self.frames.append(one)

    def _coroutine(self, coroutine: Coroutine) -> Reduction | None:
        plan, frame = plan_of(coroutine.cr_code), coroutine.cr_frame
        if frame is None:
            return (rebuilding.spent, ())
        if plan is None:
            return None
        if id(coroutine) in self._queued:
            self._met.add(id(coroutine))
            return (rebuilding.blank, (tuple(plan.ref), closure_of(coroutine)))
        if coroutine.cr_suspended or coroutine.cr_running:
            raise Refused(
                "it is a call that has begun and is awaited by another task",
                "await it before the wait",
            )
        self.others.append(coroutine)
        self._units.append(plan.unit)
        return _unbegun(coroutine, frame, plan.ref)


def _no_traceback(_: TracebackType) -> Reduction:
    """A traceback belongs to the stack of this process; an `__aexit__` has one as a parameter."""
    return (type(None), ())


def variables_of(frame: FrameType) -> dict[str, Any]:
    """Return a frame's variables, the hidden ones too."""
    seen = frame.f_locals
    variables = dict(seen)
    if sys.version_info < (3, 13):
        seen.clear()  # the frame would keep this copy, and all that is in it, for ever
    return variables


def _kept(plan: Plan, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a frame needs to go on: its own variables, and what is live at its site."""
    site = variables[SITE]
    names = plan.names
    kept = {name: value for name, value in variables.items() if name in names}
    kept[SITE] = site
    for name in cast("Any", plan.made).sites[site - 1]:
        if variables.get(name) is not None:
            kept[name] = variables[name]
    return kept


def _head(one: Suspended) -> dict[str, Any] | None:
    """Return what is needed to make the frame, before it can have variables."""
    if one.way:
        default = {} if one.default is MISSING else {"default": one.default}
        return {"owner": one.owner, **default}
    if one.plan.code.co_freevars:
        return {"closure": closure_of(one.owner)}
    return None


def closure_of(owner: Owner) -> tuple[CellType, ...]:
    """Return the cells that a call has from around it."""
    function = function_of(owner) if code_of(owner).co_freevars else None
    return () if function is None else function.__closure__ or ()


def _unbegun(owner: Owner, frame: FrameType, ref: Ref) -> Reduction:
    return (rebuilding.unbegun, (tuple(ref), closure_of(owner), variables_of(frame)))


def _function_state(function: FunctionType) -> dict[str, Any]:
    state: dict[str, Any] = {}
    code = function.__code__
    for name in ("__defaults__", "__kwdefaults__", "__dict__"):
        if getattr(function, name):
            state[name] = getattr(function, name)
    if function.__qualname__ != code.co_qualname or function.__name__ != code.co_name:
        state |= {"__name__": function.__name__, "__qualname__": function.__qualname__}
    if function.__doc__:
        state["__doc__"] = function.__doc__
    if function.__module__ != function.__globals__.get("__name__"):
        state["__module__"] = function.__module__
    return state
