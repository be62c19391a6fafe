"""What the waits of the sdk return: it stands for a coroutine, and is known when it is met again.

A snapshot names the wait in which a run stands by what its code awaits. Owns: recognising that.
Must never know: what is waited for.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import CodeType, GeneratorType, TracebackType
from typing import Any, Final, TypeVar, cast

T_co = TypeVar("T_co", covariant=True)


class Awaited(Coroutine[Any, Any, T_co]):
    """One wait. It stands for its coroutine, so that task groups take it.

    `unwraps` says that it gives the value itself, or raises. `keeps` goes into a snapshot, and
    comes back to whoever makes the wait once more.
    """

    __slots__ = ("_inner", "keeps", "unwraps")

    def __init__(
        self, inner: Coroutine[Any, Any, T_co], *, unwraps: bool = False, keeps: object = True
    ) -> None:
        self._inner = inner  # which warns when it is forgotten
        self.unwraps, self.keeps = unwraps, keeps

    def __await__(self) -> Generator[Any, Any, T_co]:
        # A generator, not the coroutine's own iterator: its frame leads back here.
        return (yield from self._inner.__await__())

    def send(self, value: Any, /) -> Any:
        """Go on, as coroutines do."""
        return self._inner.send(value)

    def throw(self, typ: Any, val: object = None, tb: TracebackType | None = None, /) -> Any:
        """Go on with an exception, as coroutines do."""
        del tb  # the form with three arguments is deprecated; the exception carries its own
        raised: Any = typ if val is None else val
        return self._inner.throw(raised)

    def close(self) -> None:
        """End, as coroutines do."""
        self._inner.close()


_AWAIT: Final[CodeType] = Awaited[Any].__await__.__code__


def awaited_by(obj: object) -> Awaited[Any] | None:
    """Return the wait that a coroutine stands in, given what the coroutine awaits."""
    if not isinstance(obj, GeneratorType) or obj.gi_code is not _AWAIT or obj.gi_frame is None:
        return None
    return cast("Awaited[Any]", obj.gi_frame.f_locals["self"])
