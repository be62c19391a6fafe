"""What a suspended coroutine looks like: the frames from the outermost to what is awaited.

Owns: all that CPython says of coroutines, async generators and what stands between them.
Must never know: how anything is saved.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, FunctionType
from typing import Any, Final, TypeAlias, cast

from headrace.frames.registry import Plan, plan_of

Coroutine: TypeAlias = "CoroutineType[Any, Any, Any]"
Generator: TypeAlias = "AsyncGeneratorType[Any, Any]"
Owner: TypeAlias = "Coroutine | Generator"


async def _generator() -> Any:
    yield None


async def _coroutine() -> None:
    return


def _types() -> Iterator[type]:
    generator, coroutine = _generator(), _coroutine()
    asked = anext(_generator(), None)
    for part in (generator.asend(None), generator.aclose(), coroutine.__await__(), asked):
        yield type(part)
        cast("Any", part).close()


SENDING, THROWING, WRAPPER, DEFAULTING = _types()
MISSING: Final = object()


class Closing:
    """Stands for `aclose()` of a generator that is taken up within its last steps."""

    __slots__ = ("generator", "step")

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.step = generator.asend(None)

    def __await__(self) -> Closing:
        return self

    def __iter__(self) -> Closing:
        return self

    def __next__(self) -> object:
        return self.send(None)

    def send(self, value: object) -> object:
        return self._gone_on(lambda: self.step.send(value))

    def throw(self, *error: Any) -> object:
        return self._gone_on(lambda: cast("Any", self.step).throw(*error))

    def _gone_on(self, go_on: Callable[[], object]) -> object:
        try:
            return go_on()
        except StopIteration:
            raise RuntimeError("async generator ignored GeneratorExit") from None
        except (StopAsyncIteration, GeneratorExit):
            raise StopIteration from None


@dataclass(frozen=True, slots=True)
class Suspended:
    """One frame of a chain; `awaits` is what it awaits, `way` how a generator was asked."""

    owner: Owner
    frame: FrameType
    plan: Plan
    awaits: object
    way: str = ""
    default: object = MISSING


def chain_of(outermost: object) -> tuple[list[Suspended], object]:
    """Return the resumable frames, outermost first, and what the innermost awaits."""
    chain: list[Suspended] = []
    awaited = outermost
    while (found := _looked_at(awaited)) is not None:
        chain.append(found)
        awaited = found.awaits
    return chain, awaited


def _looked_at(obj: object) -> Suspended | None:
    if type(obj) is WRAPPER:
        (obj,) = gc.get_referents(obj)
    if isinstance(obj, CoroutineType):
        coroutine = cast("Coroutine", obj)
        return _suspended(coroutine, coroutine.cr_frame, coroutine.cr_await)
    return _asked(obj)


def _asked(obj: object) -> Suspended | None:
    """Look at a generator by way of what it was asked with."""
    default, way = MISSING, "next"
    if type(obj) is DEFAULTING:
        obj, default = gc.get_referents(obj)
    if type(obj) is WRAPPER:
        (obj,) = gc.get_referents(obj)
    if isinstance(obj, Closing):
        generator, way = obj.generator, "close"
    elif type(obj) is SENDING or type(obj) is THROWING:
        found = gc.get_referents(obj)
        generator = next((one for one in found if isinstance(one, AsyncGeneratorType)), None)
        way = "close" if type(obj) is THROWING and len(found) == 1 else "next"
    else:
        return None
    if generator is None:
        return None
    return _suspended(generator, generator.ag_frame, generator.ag_await, way, default)


def _suspended(
    owner: Owner, frame: FrameType | None, awaits: object, way: str = "", default: object = MISSING
) -> Suspended | None:
    plan = None if frame is None else plan_of(frame.f_code)
    if frame is None or plan is None or plan.made is None:
        return None
    return Suspended(owner, frame, plan, awaits, way, default)


def code_of(owner: Owner) -> CodeType:
    """Return the code that it runs."""
    return owner.cr_code if isinstance(owner, CoroutineType) else owner.ag_code


def function_of(owner: Owner) -> FunctionType | None:
    """Return the function that it is a call of, while it is not over."""
    code = code_of(owner)
    for found in gc.get_referents(owner):
        if isinstance(found, FunctionType) and found.__code__ is code:
            return found
    return None
