"""What transformed functions call while they run.

Owns: taking up a snapshot on entry, and the helpers that stand for what the interpreter does in a
native loop or `with`. Must never know: syntax trees, or what a snapshot looks like.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from itertools import chain
from types import FrameType, FunctionType, MethodType, WrapperDescriptorType
from typing import Any, Final, Protocol, cast, final

from headrace.frames.errors import NotRestored
from headrace.frames.groups import Parts


class Gone(BaseException):
    """Puts a coroutine away: no code of the user sees it."""


class Broken(NotRestored):
    """A snapshot could not be taken up: no code of the user sees it on its way out."""


Away: Final = (Gone, Broken)


class Entry(Protocol):
    """What is to be taken up by a frame that has not begun."""

    def entered(self, cells: Mapping[str, Any]) -> Ticket:
        """Return the variables, now that the frame has its cells."""
        ...


pending: Final[dict[FrameType, Entry]] = {}
"""The frames that have not begun and are to take something up: nearly always empty."""


@final
class Ticket(dict[str, object]):
    """The variables of a frame that skips to where it was; it is forgotten when it gets there."""

    __slots__ = ("_kept", "_next")

    def __init__(self, variables: Mapping[str, object], after: Callable[[], object]) -> None:
        super().__init__(variables)
        self._next = after
        self._kept: tuple[object, ...] = ()

    def child(self, _: None) -> Any:
        """Return what was being awaited; or what is yielded to nobody."""
        return self._next()

    def again(self, error: BaseException) -> BaseException:
        """Return an exception that is about to be raised again, only to be where it was."""
        self._kept = (
            error.__traceback__,
            error.__context__,
            error.__cause__,
            error.__suppress_context__,
        )
        return error

    def settle(self, error: BaseException) -> None:
        """Undo what raising it changed."""
        traceback, context, cause, suppressed = cast("tuple[Any, Any, Any, bool]", self._kept)
        error.__traceback__ = traceback
        error.__cause__ = cause
        error.__context__ = context
        error.__suppress_context__ = suppressed


def enter(mark: str, cells: FunctionType | None) -> Ticket | None:
    """Return what the calling frame has to take up, if anything."""
    del mark
    frame = sys._getframe(1)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] # its caller is what it is about
    entry = pending.pop(frame, None)
    return None if entry is None else entry.entered(cells_of(cells))


def cells_of(holder: FunctionType | None) -> dict[str, Any]:
    """Return the cells that a frame's `@cells` has, by the names of their variables."""
    if holder is None:
        return {}
    return dict(zip(holder.__code__.co_freevars, holder.__closure__ or (), strict=True))


def visible(names: Any) -> Any:
    """Return what `locals`, `vars` or `dir` gave without what is hidden."""
    if isinstance(names, dict):
        found = cast("dict[str, object]", names)
        return {name: value for name, value in found.items() if not is_hidden(name)}
    return [name for name in names if not is_hidden(name)]


def is_hidden(name: str) -> bool:
    """Tell whether no source could have this name."""
    return "@" in name or name.startswith("<")


def leaving() -> bool:
    """Tell whether the exception in flight must not be seen by the user's code."""
    return isinstance(sys.exc_info()[1], Away)


def iterate(source: Iterable[object]) -> Iterator[object]:
    """Return the iterator of a `for`, so that a native loop does not ask it for itself again."""
    found = iter(source)
    plain = isinstance(getattr(type(found), "__iter__", None), WrapperDescriptorType)
    return found if plain or isinstance(found, Once) else Once(found)


class Once:
    """An iterator whose `__iter__` has been called."""

    __slots__ = ("_iterator",)

    def __init__(self, iterator: Iterator[object]) -> None:
        self._iterator = iterator

    def __iter__(self) -> Once:
        return self

    def __next__(self) -> object:
        return next(self._iterator)


def again(iterator: Iterator[object], dummy: object) -> Iterator[object]:
    """Return an iterator for a loop that is entered in its body."""
    return chain((dummy,), iterator)


def aiterate(source: object) -> object:
    """Return the iterator of an `async for`."""
    kind = type(source)
    asked = getattr(kind, "__aiter__", None)
    if asked is None:
        raise TypeError(
            f"'async for' requires an object with __aiter__ method, got {kind.__name__}"
        )
    found: object = asked(source)
    if not hasattr(type(found), "__anext__"):
        raise TypeError(
            "'async for' received an object from __aiter__ that does not implement __anext__: "
            f"{type(found).__name__}"
        )
    return found


following = anext
sliced = slice
parts = Parts
"""What has a name of its own here, since a module of the user may have another by that name."""


def told(error: BaseException) -> tuple[type[BaseException], BaseException, Any]:
    """Return what an exit is told of an exception."""
    return type(error), error, error.__traceback__


def enters(manager: object) -> Callable[[], object]:
    """Return how a context manager is entered, once it is sure that it can be left."""
    kind = type(manager)
    if not hasattr(kind, "__enter__") or not hasattr(kind, "__exit__"):
        raise _unfit(kind, "__enter__", "__exit__", "the context manager protocol")
    return cast("Callable[[], object]", special(manager, "__enter__"))


def exits(manager: object) -> Callable[..., object]:
    """Return how a context manager is left."""
    return cast("Callable[..., object]", special(manager, "__exit__"))


def aenters(manager: object) -> Callable[[], Awaitable[object]]:
    """Return how an async context manager is entered."""
    kind = type(manager)
    if not hasattr(kind, "__aenter__") or not hasattr(kind, "__aexit__"):
        raise _unfit(kind, "__aenter__", "__aexit__", "the asynchronous context manager protocol")
    return cast("Callable[[], Awaitable[object]]", special(manager, "__aenter__"))


def aexits(manager: object) -> Callable[..., Awaitable[object]]:
    """Return how an async context manager is left."""
    return cast("Callable[..., Awaitable[object]]", special(manager, "__aexit__"))


def _unfit(kind: type, way_in: str, way_out: str, protocol: str) -> TypeError:
    plain = kind.__module__ == "builtins"
    name = kind.__qualname__ if plain else f"{kind.__module__}.{kind.__qualname__}"
    missed = f" (missed {way_out} method)" if hasattr(kind, way_in) else ""
    return TypeError(f"'{name}' object does not support {protocol}{missed}")


@asynccontextmanager
async def _managed() -> AsyncGenerator[None]:
    yield


_MANAGERS: Final[tuple[type, ...]] = (type(_managed()), aclosing)
_WAITING: Final[frozenset[object]] = frozenset(
    vars(kind)[name] for kind in _MANAGERS for name in ("__aenter__", "__aexit__")
)
"""Methods of the standard library that wait for what may be resumable."""
_twins: Final[dict[object, Callable[..., Any]]] = {}


def _twin(method: FunctionType) -> Callable[..., Any]:
    """Return the same method made resumable, which is done once, and only if it is met."""
    if method not in _twins:
        from headrace.frames.decorating import resumable  # noqa: PLC0415 - which imports this

        _twins[method] = resumable(method)
    return _twins[method]


def special(obj: object, name: str) -> object:
    """Look a method up as the interpreter does: in the type, and bound."""
    kind = type(obj)
    for owner in kind.__mro__:
        if name in owner.__dict__:
            found: object = owner.__dict__[name]
            if isinstance(found, FunctionType):
                return MethodType(_twin(found) if found in _WAITING else found, obj)
            bind = getattr(type(found), "__get__", None)
            return found if bind is None else bind(found, obj, kind)
    return None
