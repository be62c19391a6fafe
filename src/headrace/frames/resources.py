"""`resource()`: what cannot be saved, and is opened again in each process that needs it.

Owns: opening once in a process, closing. Must never know: how anything is saved, frames.
"""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, overload

T = TypeVar("T")

_NOT_OPEN: Any = object()
_handles: Final[weakref.WeakSet[Resource[Any]]] = weakref.WeakSet()


def lent() -> dict[int, object]:
    """Return what resources have open in this process, by identity."""
    values: list[object] = [it.get() for it in list(_handles) if it.is_open]
    return {id(value): value for value in values}


class Resource(Generic[T]):
    """A handle to something that is open in this process only; saved, it is how to open it.

    `get()` opens at the first use, `await` too, and also waits for what opens by being awaited.
    What they return is not to be kept in a variable across a wait: the handle is.
    """

    __slots__ = ("__weakref__", "_lock", "_open", "_value")

    def __init__(self, open: Callable[[], Any]) -> None:
        self._open = open
        self._value: T = _NOT_OPEN
        self._lock: asyncio.Lock | None = None
        _handles.add(self)

    @property
    def is_open(self) -> bool:
        return self._value is not _NOT_OPEN

    def get(self) -> T:
        """Return what is open, opened now if need be."""
        if self._value is _NOT_OPEN:
            made = self._open()
            if inspect.isawaitable(made):
                if inspect.iscoroutine(made):
                    made.close()
                raise TypeError(f"{self!r} opens by being awaited: write `await` and its name")
            self._value = made
        return self._value

    def __await__(self) -> Generator[Any, Any, T]:
        return self._get().__await__()

    async def _get(self) -> T:
        if self._value is _NOT_OPEN:
            self._lock = lock = self._lock or asyncio.Lock()
            async with lock:  # one opens, the others wait for it
                if self._value is _NOT_OPEN:
                    made = self._open()
                    self._value = await made if inspect.isawaitable(made) else made
            self._lock = None
        return self._value

    def close(self) -> None:
        """Close what is open; the next use opens it again."""
        value = self._taken("close")
        if value is not None and inspect.isawaitable(made := value.close()):
            if inspect.iscoroutine(made):
                made.close()
            raise TypeError(f"{self!r} closes by being awaited: write `await`, and `aclose()`")

    async def aclose(self) -> None:
        """Close what is open, also what closes by being awaited."""
        value = self._taken("aclose", "close")
        if value is not None:
            made = value.aclose() if hasattr(value, "aclose") else value.close()
            if inspect.isawaitable(made):
                await made

    def _taken(self, *names: str) -> Any:
        """Take the value out, or None if there is nothing to close."""
        value, self._value = self._value, _NOT_OPEN
        closes = value is not _NOT_OPEN and any(hasattr(value, name) for name in names)
        return value if closes else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.aclose()

    def __reduce__(self) -> tuple[Any, ...]:
        return (Resource, (self._open,))

    def __repr__(self) -> str:
        name = getattr(self._open, "__qualname__", None) or repr(self._open)
        return f"<resource {name}, {'open' if self.is_open else 'not open'}>"


@overload
def resource(open: Callable[[], Awaitable[T]]) -> Resource[T]: ...
@overload
def resource(open: Callable[[], T]) -> Resource[T]: ...
def resource(open: Callable[[], Any]) -> Resource[Any]:
    """Return a handle to what `open` opens: a class, a function, or functools.partial of one."""
    return Resource(open)
