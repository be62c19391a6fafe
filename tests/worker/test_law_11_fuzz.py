"""Law 11 for programs that nobody wrote: random branches, races, failures; random interruptions.

However a run came to its end, its journal leads every replay of its code to the same one, and no
step is called for it again. Every wait has a stream of its own, so that all get their message.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from headrace.errors import RunIsOver
from headrace.frames import resumable
from headrace.sdk.awaited import Awaited
from headrace.sdk.execution_question import Place
from headrace.wire.channel import Completed
from headrace.worker import Options
from tests.sdk.branches import branch
from tests.sdk.played import EPOCH_NO, RUN, again, playing
from tests.worker.scene import PLAIN, SAVING, Faults, Job, Scene, employed, setting
from tests.worker.workflows import World, get, step


@dataclass(frozen=True)
class Step:
    """Leave a trace."""


@dataclass(frozen=True)
class Wait:
    """Take a message."""


@dataclass(frozen=True)
class Fail:
    """Raise."""


@dataclass(frozen=True)
class All:
    """Several branches, by `gather`, or in a task group, where a failure cancels the others."""

    programs: tuple["Program", ...]
    grouped: bool


@dataclass(frozen=True)
class Race:
    """Two branches; the first that ends cancels the other."""

    programs: tuple["Program", "Program"]


@dataclass(frozen=True)
class Beside:
    """A branch that goes on while the rest does, and is awaited after it."""

    program: "Program"
    rest: "Program"


Node = Step | Wait | Fail | All | Race | Beside
Program = tuple[Node, ...]

leaves = st.one_of(st.just(Step()), st.just(Wait()), st.just(Wait()), st.just(Step()))


def grown(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    programs = st.lists(inner, min_size=1, max_size=3).map(tuple)
    failing = st.tuples(programs, st.booleans()).map(
        lambda found: (*found[0], Fail()) if found[1] else found[0]
    )
    return st.one_of(
        st.builds(All, st.lists(failing, min_size=1, max_size=3).map(tuple), st.booleans()),
        st.builds(Race, st.tuples(programs, programs)),
        st.builds(Beside, programs, programs),
    )


PROGRAMS = st.lists(st.recursive(leaves, grown, max_leaves=8), min_size=1, max_size=4).map(tuple)


class Machine:
    """Runs a program, and numbers its places so that each has a name and a stream."""

    def __init__(self, world: World) -> None:
        self._world = world

    @resumable
    async def run(self, program: Program, place: str) -> object:
        return [await self._do(node, f"{place}.{n}") for n, node in enumerate(program)]

    @resumable
    async def _do(self, node: Node, place: str) -> object:
        match node:
            case Step():
                return await step(self._world, place, place)
            case Wait():
                return await get(place)
            case Fail():
                raise ValueError(place)
            case All(programs=programs, grouped=grouped):
                return await (self._group if grouped else self._gather)(programs, place)
            case Race(programs=programs):
                return await self._race(programs, place)
            case Beside(program=program, rest=rest):
                beside = branch(self.run(program, f"{place}b"))
                return [await self.run(rest, place), await beside]

    async def _gather(self, programs: Sequence[Program], place: str) -> object:
        runs = [self.run(program, f"{place}g{n}") for n, program in enumerate(programs)]
        found = await asyncio.gather(*runs, return_exceptions=True)
        return [str(one) if isinstance(one, Exception) else one for one in found]

    async def _group(self, programs: Sequence[Program], place: str) -> object:
        tasks = list[asyncio.Task[object]]()
        with suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                for n, program in enumerate(programs):
                    tasks.append(group.create_task(self._undoing(program, f"{place}t{n}")))
        return [_end_of(task) for task in tasks]

    async def _undoing(self, program: Program, place: str) -> object:
        try:
            return await self.run(program, place)
        except asyncio.CancelledError:
            await step(self._world, f"{place}-undo")
            raise

    async def _race(self, programs: Sequence[Program], place: str) -> object:
        tasks = [branch(self.run(program, f"{place}r{n}")) for n, program in enumerate(programs)]
        done, late = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        winners = [n for n, task in enumerate(tasks) if task in done]
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        return [winners, [_end_of(task) for task in tasks]]


def _end_of(task: asyncio.Task[object]) -> object:
    if task.cancelled():
        return "cancelled"
    error = task.exception()
    return task.result() if error is None else str(error)


def streams_of(program: Program, place: str = "p") -> list[str]:
    """List the streams of a program's waits, as the machine names them."""
    found = list[str]()
    for n, node in enumerate(program):
        here = f"{place}.{n}"
        match node:
            case Wait():
                found.append(here)
            case All(programs=programs, grouped=grouped):
                letter = "t" if grouped else "g"
                for k, inner in enumerate(programs):
                    found += streams_of(inner, f"{here}{letter}{k}")
            case Race(programs=programs):
                for k, inner in enumerate(programs):
                    found += streams_of(inner, f"{here}r{k}")
            case Beside(program=inner, rest=rest):
                found += [*streams_of(rest, here), *streams_of(inner, f"{here}b")]
            case _:
                pass
    return found


@dataclass(frozen=True)
class Case:
    """A program, the order of its messages, and how it is interrupted."""

    program: Program
    messages: tuple[str, ...]
    kill_at: int
    hears_it: bool
    cuts: frozenset[int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    program = draw(PROGRAMS)
    return Case(
        program=program,
        messages=tuple(draw(st.permutations(streams_of(program)))),
        kill_at=draw(st.integers(0, 12)),
        hears_it=draw(st.booleans()),
        cuts=draw(st.frozensets(st.integers(1, 40), max_size=4)),
    )


@resumable
async def _told(program: Program, world: World) -> object:
    try:
        return await Machine(world).run(program, "p")
    except ValueError as error:
        return str(error)


class Kept(Job):
    """The program, whose code can be saved while it waits."""

    is_resumable = True
    keep_warm_ms = None

    def __init__(self, case: Case, world: World) -> None:
        code = _code(case, world)
        super().__init__("job", lambda _: code())
        self._program, self._world = case.program, world

    def call(self, _payload: bytes) -> Coroutine[Any, Any, Any]:
        return _told(self._program, self._world)

    def again(self, place: Place, kept: object, *, unwraps: bool) -> Awaited[Any]:
        assert kept is True
        assert not unwraps
        return again(place)

    def encoded(self, result: object) -> bytes:
        return msgspec.json.encode(result)


def _code(case: Case, world: World) -> Callable[[], Awaitable[bytes]]:
    async def code() -> bytes:
        return msgspec.json.encode(await _told(case.program, world))

    return code


@asynccontextmanager
async def _scene(case: Case, world: World) -> AsyncGenerator[Scene]:
    async with setting(Kept(case, world), inputs=case.messages) as scene:
        yield scene


async def _send(scene: Scene, run: str, messages: Sequence[str]) -> None:
    await scene.calm()
    for message in messages:
        with suppress(RunIsOver):  # some programs end before all of it has come
            await scene.api.send(run, message, msgspec.json.encode(message))
        await scene.calm()


async def _play(
    case: Case, world: World, options: Options = PLAIN, cuts: frozenset[int] = frozenset()
) -> None:
    async with (
        _scene(case, world) as scene,
        employed(scene.worker("w", Faults(cut_before=cuts), options)),
    ):
        run = await scene.start()
        await _send(scene, run, case.messages)
        await _judge(case, scene, run)


async def _play_killed(case: Case, world: World, options: Options = PLAIN) -> None:
    faults = Faults(kill_at=case.kill_at, hears_it=case.hears_it)
    async with _scene(case, world) as scene:
        left = list(case.messages)
        async with employed(scene.worker("first", faults, options)):
            run = await scene.start()
            await scene.calm()
            while left and not faults.killed.is_set() and not await scene.is_over(run):
                await _send(scene, run, [left.pop(0)])
        if faults.killed.is_set():
            await scene.bury(6_000)
        async with employed(scene.worker("second", options=options)):
            await _send(scene, run, left)
            await _judge(case, scene, run)


async def _judge(case: Case, scene: Scene, run: str) -> None:
    """The run has ended well, and whoever replays its journal comes to the same end."""
    view = await scene.over(run)
    assert view.status == "COMPLETED", (view.blocked, view.error)
    assert not isinstance(view.output, msgspec.UnsetType)
    journal, again = await scene.journal(run), World()
    async with playing(_code(case, again), *journal) as replayed:
        posted = await replayed.posted(rounds=4_000)
    assert posted == [Completed(RUN, EPOCH_NO, bytes(view.output))]
    assert again.done == []


FUZZ = settings(
    suppress_health_check=(
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    )
)
pytestmark = pytest.mark.timeout(900)


@FUZZ
@given(cases())
async def test_undisturbed(case: Case) -> None:
    world = World()
    await _play(case, world)
    assert len(set(world.done)) == len(world.done)


@FUZZ
@given(cases())
async def test_an_eviction_at_every_wait(case: Case) -> None:
    world = World()
    await _play(case, world, replace(PLAIN, evicts=True, strict=True))
    assert len(set(world.done)) == len(world.done)


@FUZZ
@given(cases())
async def test_a_snapshot_at_every_wait(case: Case) -> None:
    world = World()
    await _play(case, world, SAVING)
    assert len(set(world.done)) == len(world.done)


@FUZZ
@given(cases())
async def test_a_broken_connection(case: Case) -> None:
    world = World()
    await _play(case, world, SAVING, case.cuts)
    assert len(set(world.done)) == len(world.done)


@FUZZ
@given(cases())
async def test_a_killed_worker(case: Case) -> None:
    world = World()
    await _play_killed(case, world)
    assert max(Counter(world.done).values(), default=0) <= 2


@FUZZ
@given(cases())
async def test_a_killed_worker_that_saves_at_every_wait(case: Case) -> None:
    world = World()
    await _play_killed(case, world, SAVING)
    assert max(Counter(world.done).values(), default=0) <= 2
