"""What a workflow of the corpus is made of: code, what happens outside, what must come of it.

Must never know: how it is executed, interrupted or repeated.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from headrace.frames import resumable
from headrace.kernel.model import inward
from headrace.sdk.execution import Listener, require
from tests.sdk.played import once, wait

Value = object
HOUR: Final = 3_600_000


@dataclass
class World:
    """What the effects of one run leave behind, whatever becomes of its workers."""

    done: list[str] = field(default_factory=list[str])
    failures: int = 0
    """How many more times a fragile effect fails."""

    def __post_init__(self) -> None:
        _worlds[id(self)] = self

    def __reduce__(self) -> tuple[Callable[[int], "World"], tuple[int]]:
        return world_of, (id(self),)  # a snapshot does not make another one


_worlds: WeakValueDictionary[int, World] = WeakValueDictionary()


def world_of(number: int) -> World:
    return _worlds[number]


@dataclass(frozen=True)
class Send:
    stream: str
    body: bytes


@dataclass(frozen=True)
class Pass:
    """Time passes."""

    ms: int


@dataclass(frozen=True)
class Cancel:
    """Somebody asks the run to stop."""


Event = Send | Pass | Cancel


@dataclass(frozen=True)
class Workflow:
    """One task. `effects` is what its steps leave behind if nothing breaks."""

    name: str
    code: Callable[[World], Awaitable[Value]]
    events: tuple[Event, ...]
    result: Value
    effects: tuple[str, ...] = ()
    status: str = "COMPLETED"
    failures: int = 0
    out: tuple[bytes, ...] = ()


CORPUS: list[Workflow] = []


def workflow(
    *events: Event,
    result: Value,
    effects: str = "",
    status: str = "COMPLETED",
    failures: int = 0,
    out: str = "",
) -> Callable[[Callable[[World], Awaitable[Value]]], Callable[[World], Awaitable[Value]]]:
    """Put a workflow into the corpus."""

    def add(code: Callable[[World], Awaitable[Value]]) -> Callable[[World], Awaitable[Value]]:
        CORPUS.append(
            Workflow(
                code.__name__,
                code,
                events,
                result,
                tuple(effects.split()),
                status,
                failures,
                tuple(body.encode() for body in out.split()),
            )
        )
        return code

    return add


async def step(world: World, name: str, value: Value = None) -> Value:
    """Leave a trace, and remember a value."""

    async def call() -> bytes:
        await asyncio.sleep(0)
        world.done.append(name)
        return msgspec.json.encode(value)

    raw = await require("step").step(name, call, fingerprint="", line=f"corpus.py:{name}")
    return msgspec.json.decode(raw)


async def fragile(world: World, name: str) -> None:
    """Leave a trace, or fail as often as the world says."""

    async def call() -> bytes:
        if world.failures:
            world.failures -= 1
            raise ConnectionError("offline")
        world.done.append(name)
        return b"null"

    await require("step").step(name, call, fingerprint="", line=f"corpus.py:{name}")


@resumable
async def get(stream: str, timeout_ms: int | None = None) -> Value:
    body = await wait(stream, timeout_ms)
    return "timeout" if body is None else msgspec.json.decode(body)


@resumable
async def get_live(stream: str) -> Value:
    return msgspec.json.decode(await once(stream) or b"null")


def on(stream: str, handler: Callable[[Value], Awaitable[None]]) -> Listener:
    async def call(body: bytes) -> None:
        await handler(msgspec.json.decode(body))

    return require("on").listen(inward(stream), call, line=f"corpus.py:{stream}")
