"""What a wait gives: `Ok` with the value, or `TimedOut`; and the awaitable of either.

Must never know: streams, runs.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Literal, NoReturn, TypeAlias, TypeVar

from headrace.errors import WaitTimeout

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Ok(Generic[T_co]):
    """It came; `output` is the value."""

    output: T_co
    ok: Literal[True] = field(default=True, init=False, repr=False)

    def __bool__(self) -> Literal[True]:
        return True

    def unwrap(self) -> T_co:
        """Return the value."""
        return self.output


@dataclass(frozen=True, slots=True)
class TimedOut:
    """Nothing came in time; `error` says what was waited for."""

    error: WaitTimeout
    ok: Literal[False] = field(default=False, init=False, repr=False)

    def __bool__(self) -> Literal[False]:
        return False

    def unwrap(self) -> NoReturn:
        """Raise the `WaitTimeout`."""
        raise self.error


Answer: TypeAlias = Ok[T] | TimedOut


class Pending(Coroutine[Any, Any, Answer[T]]):
    """What `wait` and `once` return: await it for an `Answer`, or its `unwrap()` for the value."""

    __slots__ = ("_inner",)

    def __init__(self, inner: Coroutine[Any, Any, Answer[T]]) -> None:
        # It stands for a coroutine, so that task groups take it; forgetting to await it warns.
        self._inner = inner

    async def unwrap(self) -> T:
        """Return the value, or raise `WaitTimeout`."""
        answer = await self._inner
        return answer.unwrap()

    def __await__(self) -> Generator[Any, Any, Answer[T]]:
        return self._inner.__await__()

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
