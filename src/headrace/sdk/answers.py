"""What a wait gives: `Ok` with the value, or `TimedOut`; and the awaitable of either.

Must never know: streams, runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Literal, NoReturn, TypeAlias, TypeVar

from headrace.errors import WaitTimeout
from headrace.sdk.awaited import Awaited

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


class Pending(Awaited[Answer[T]]):
    """What `wait` and `once` return: await it for an `Answer`, or its `unwrap()` for the value."""

    __slots__ = ()

    def unwrap(self) -> Awaited[T]:
        """Return the value, or raise `WaitTimeout`."""
        return Awaited(self._unwrapped(), unwraps=True, keeps=self.keeps)

    async def _unwrapped(self) -> T:
        answer = await self._inner
        return answer.unwrap()
