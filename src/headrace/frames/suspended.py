"""What a suspended coroutine looks like: the frames from the outermost to what is awaited.

Owns: all that CPython says of coroutines, async generators and what stands between them.
Must never know: how anything is saved.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, FunctionType
from typing import Any, Final, TypeAlias, TypeGuard, cast

from headrace.frames.registry import Plan, plan_of

Coroutine: TypeAlias = "CoroutineType[Any, Any, Any]"
Generator: TypeAlias = "AsyncGeneratorType[Any, Any]"
Owner: TypeAlias = "Coroutine | Generator"


async def _generator() -> AsyncGenerator[None]:
    yield None


async def _coroutine() -> None:
    return


def _types() -> Iterator[type]:
    generator, coroutine = _generator(), _coroutine()
    parts: list[Any] = [generator.asend(None), generator.aclose(), coroutine.__await__()]
    for part in [*parts, anext(_generator(), None)]:
        yield type(part)
        part.close()


SENDING, THROWING, WRAPPER, DEFAULTING = _types()
MISSING: Final = object()


class Step:
    """Goes on with something awaited, and decides what its end means."""

    __slots__ = ("step",)

    def __init__(self, step: Any) -> None:
        self.step = step

    def __await__(self) -> Step:
        return self

    def __iter__(self) -> Step:
        return self

    def __next__(self) -> object:
        return self.send(None)

    def send(self, value: object) -> object:
        return self._gone_on(partial(self.step.send, value))

    def throw(self, *error: Any) -> object:
        return self._gone_on(partial(self.step.throw, *error))

    def _gone_on(self, go_on: Callable[[], object]) -> object:
        return go_on()


class Closing(Step):
    """Stands for `aclose()` of a generator that is taken up within its last steps."""

    __slots__ = ("generator",)

    def __init__(self, generator: Generator) -> None:
        super().__init__(generator.asend(None))
        self.generator = generator

    def _gone_on(self, go_on: Callable[[], object]) -> object:
        try:
            return go_on()
        except StopIteration:
            raise RuntimeError("async generator ignored GeneratorExit") from None
        except (StopAsyncIteration, GeneratorExit):
            raise StopIteration from None


class Defaulting(Step):
    """Stands for `anext(..., default)` of an iterator that is no generator."""

    __slots__ = ("default",)

    def __init__(self, coroutine: Coroutine, default: object) -> None:
        super().__init__(coroutine)
        self.default = default

    def _gone_on(self, go_on: Callable[[], object]) -> object:
        try:
            return go_on()
        except StopAsyncIteration:
            raise StopIteration(self.default) from None


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
    default: object = MISSING
    if isinstance(obj, Defaulting):
        default, obj = obj.default, obj.step
    elif type(obj) is DEFAULTING:
        obj, default = gc.get_referents(obj)
    if type(obj) is WRAPPER:
        (obj,) = gc.get_referents(obj)
    if is_coroutine(obj):
        way = "" if default is MISSING else "default"
        return _suspended(obj, obj.cr_frame, obj.cr_await, way, default)
    return _asked(obj, default)


def _asked(obj: object, default: object) -> Suspended | None:
    """Look at a generator by way of what it was asked with."""
    way = "next"
    generator: Generator | None
    if isinstance(obj, Closing):
        generator, way = obj.generator, "close"
    elif type(obj) is SENDING or type(obj) is THROWING:
        found = gc.get_referents(obj)
        generator = next(filter(is_generator, found), None)
        way = "close" if type(obj) is THROWING and len(found) == 1 else "next"
    else:
        return None
    if generator is None:
        return None
    return _suspended(generator, generator.ag_frame, generator.ag_await, way, default)


def is_coroutine(obj: object) -> TypeGuard[Coroutine]:
    """Tell whether it is a call of an async function."""
    return isinstance(obj, CoroutineType)


def is_generator(obj: object) -> TypeGuard[Generator]:
    """Tell whether it is a call of an async generator function."""
    return isinstance(obj, AsyncGeneratorType)


def _suspended(
    owner: Owner, frame: FrameType | None, awaits: object, way: str = "", default: object = MISSING
) -> Suspended | None:
    plan = None if frame is None else plan_of(frame.f_code)
    if frame is None or plan is None or plan.made is None:
        return None
    return Suspended(owner, frame, plan, awaits, way, default)


def code_of(owner: Owner) -> CodeType:
    """Return the code that it runs."""
    return owner.ag_code if is_generator(owner) else cast("Coroutine", owner).cr_code


def function_of(owner: Owner) -> FunctionType | None:
    """Return the function that it is a call of, while it is not over."""
    code = code_of(owner)
    for found in gc.get_referents(owner):
        if isinstance(found, FunctionType) and found.__code__ is code:
            return found
    return None
