"""What a program could still remember: a fingerprint of all that its suspended tasks can reach.

Two programs with the same fingerprint go on in the same way, if they get the same answers from
now on. It covers the frames of coroutines, where they stand, those of their locals that they will
still read, and what lies on their stacks, and from there every object, by value, with who refers to
whom.

Owns: the walk. What it does not know by heart it may take for different, never for equal.
Must never know: the engine, or any play.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import operator
import types
import weakref
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from enum import Enum
from itertools import count
from typing import Any, Final, NamedTuple, TypeAlias, cast

from tests.explorer.liveness import dead

_ATOMS: Final = (type(None), str)
_SPELT: Final = (int, float, bytes, Enum, count)
"""Atoms that have the hash of others, or tell nothing, if they are not spelt out."""
# The same in every play, or of no consequence for what a program does next.
_CONSTANT: Final = (
    type,
    types.CodeType,
    types.FrameType,  # made by whoever looks; what it holds is the coroutine's
    types.ModuleType,
    types.TracebackType,
    asyncio.AbstractEventLoop,
    asyncio.TaskGroup,  # its tasks are walked from the loop
    contextvars.Context,
    weakref.ref,
)


def fingerprint(tasks: Iterable[asyncio.Task[object]], skipped: Iterable[object]) -> int:
    """Walk all that `tasks` can reach, but for what is `skipped`."""
    in_order = sorted(tasks, key=_rank)
    return hash(tuple(_walk(in_order, {id(thing) for thing in skipped})))


def _rank(task: asyncio.Task[object]) -> tuple[tuple[str, int], int]:
    """Sort by what a task does, and only then by when it was made."""
    _, _, number = task.get_name().rpartition("-")
    return _standing(task.get_coro()), int(number)


def _walk(roots: Iterable[object], skipped: Container[int]) -> list[object]:
    """Return what stands for the roots, and for everything behind them."""
    found, left = list[object](), [*roots]
    left.reverse()
    met, spelt, known = dict[int, object](), dict[int, str](), _known
    kept = list[object]()  # alive, so that nothing else gets an identity that was met
    while left:
        thing = left.pop()
        kind = known.get(type(thing)) or _kind(type(thing))
        if kind is ATOM:
            found.append(thing)
        elif kind is SPELT:
            found.append((type(thing), repr(thing)))
        elif kind is VALUE:
            found.append(spelt.get(id(thing)) or spelt.setdefault(id(thing), repr(thing)))
            kept.append(thing)
        elif kind is CONSTANT or id(thing) in skipped:
            found.append(kind.name)
        elif (again := met.get(id(thing))) is not None:
            found.append(again)
        else:
            met[id(thing)] = "again", len(met)
            kept.append(thing)
            inside = kind.inside(thing)
            found.append((kind.name, kind.of_itself(thing), len(inside)))
            left += reversed(inside)
    return found


# --- kinds of things -----------------------------------------------------------------------------


_OfItself: TypeAlias = Callable[[object], Hashable]
_Inside: TypeAlias = Callable[[object], Sequence[object]]


def _nothing(_thing: object) -> Hashable:
    return None


def _referents(thing: object) -> Sequence[object]:
    return gc.get_referents(thing)


class _Kind(NamedTuple):
    """How a type is walked: what its things are beside what they refer to, and that."""

    name: str
    of_itself: _OfItself = _nothing
    inside: _Inside = _referents


ATOM, SPELT, CONSTANT = _Kind("atom"), _Kind("spelt"), _Kind("constant")
VALUE: Final = _Kind("value")
"""Never changes, and nobody asks which of two that are equal it is."""


def _name(thing: object) -> str:
    return cast("str", getattr(thing, "__qualname__", ""))


def _closure(thing: object) -> Sequence[object]:
    return getattr(thing, "__closure__", None) or ()


def _bound(thing: object) -> Sequence[object]:
    return getattr(thing, "__func__", None), getattr(thing, "__self__", None)


def _frame(thing: object) -> types.FrameType | None:
    """Return the frame of what is suspended, or has not begun."""
    name = _FRAMES.get(type(thing))
    return None if name is None else cast("types.FrameType | None", getattr(thing, name))


def _standing(thing: object) -> tuple[str, int]:
    """Return the name of a coroutine or generator, and the instruction at which it stands."""
    frame = _frame(thing)
    return _name(thing), -1 if frame is None else frame.f_lasti


def _locals(thing: object) -> Sequence[object]:
    """Return what lies in the frame, but for what nobody will read.

    Whether there is an object for the frame, and for its variables, depends on who looked.
    """
    frame, found = _frame(thing), [*gc.get_referents(thing)]
    names = dead(frame) if frame is not None else ()
    variables: Mapping[str, object] = frame.f_locals if frame is not None and names else {}
    unread = [id(variables[name]) for name in names if name in variables]
    unread.append(id(variables))
    return [one for one in found if type(one) is not types.FrameType and not _spare(unread, one)]


def _spare(unread: list[int], one: object) -> bool:
    """Tell whether a reference is one of those that count for nothing; each does so once."""
    if id(one) not in unread:
        return False
    unread.remove(id(one))
    return True


def _ended(thing: object) -> Hashable:
    future = cast("asyncio.Future[object]", thing)
    return future.done(), future.cancelled()


def _awaited(thing: object) -> Sequence[object]:
    future = cast("asyncio.Future[object]", thing)
    callbacks: list[tuple[object, Any]] = getattr(future, "_callbacks", None) or []
    found: list[object] = [callback for callback, _ in callbacks]
    if future.done() and not future.cancelled():
        error = future.exception()
        found.append(future.result() if error is None else repr(error))
    return found


def _at_work(thing: object) -> Sequence[object]:
    task = cast("asyncio.Task[object]", thing)
    waits_for: object = getattr(task, "_fut_waiter", None)
    return [*_awaited(task), task.cancelling(), task.get_coro(), waits_for]


def _members(thing: object) -> Sequence[object]:
    """Sort what has an order; objects come in any: sets of them may be taken for different."""
    return sorted(cast("Iterable[object]", thing), key=_alike)


def _alike(thing: object) -> str:
    if isinstance(thing, asyncio.Task):
        return repr(_standing(cast("asyncio.Task[object]", thing).get_coro()))
    is_plain = _kind(type(thing)) in {ATOM, SPELT}
    return repr(thing) if is_plain else type(thing).__qualname__


def _left(thing: object) -> Hashable:
    return operator.length_hint(thing)


_Types: TypeAlias = tuple[type[Any], ...]
_PLAIN: Final[tuple[tuple[_Types, _Kind], ...]] = (
    (_SPELT, SPELT),
    (_ATOMS, ATOM),
    (_CONSTANT, CONSTANT),
)
_FRAMES: Final[Mapping[type[object], str]] = {
    types.CoroutineType: "cr_frame",
    types.GeneratorType: "gi_frame",
    types.AsyncGeneratorType: "ag_frame",
}
_SUSPENDED: Final = tuple(_FRAMES)
_PECULIAR: Final[tuple[tuple[_Types, _OfItself, _Inside], ...]] = (
    ((types.FunctionType,), _name, _closure),
    ((types.BuiltinFunctionType,), _name, _referents),
    ((types.MethodType,), _nothing, _bound),
    (_SUSPENDED, _standing, _locals),
    ((asyncio.Task,), _ended, _at_work),
    ((asyncio.Future,), _ended, _awaited),
    ((set, frozenset), _nothing, _members),
    ((Iterator,), _left, _referents),
)


_OF_VALUES: Final = ("headrace.kernel.model", "headrace.kernel.commands")
"""Modules whose frozen types are values."""


def _is_frozen(of: type[Any]) -> bool:
    return bool(of.__dataclass_params__.frozen)


_known: Final = dict[type[Any], _Kind]()


def _kind(of: type[Any]) -> _Kind:
    kind = _known.get(of)
    if kind is None:
        kind = _known[of] = _kind_of_new(of)
    return kind


def _kind_of_new(of: type[Any]) -> _Kind:
    name = f"{of.__module__}.{of.__qualname__}"
    if is_dataclass(of) and _is_frozen(of) and of.__module__.startswith(_OF_VALUES):
        return VALUE
    for those, kind in _PLAIN:
        if issubclass(of, those):
            return kind
    for those, of_itself, inside in _PECULIAR:
        if issubclass(of, those):
            return _Kind(name, of_itself, inside)
    return _Kind(name)
