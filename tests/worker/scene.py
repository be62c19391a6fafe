"""An engine on memory, workers on links that can be cut, and a script of what happens from outside.

Owns: when things break, and when everything has come to rest.
Must never know: what the tasks do.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace

from msgspec import Raw

from headrace.backends.memory import open_memory
from headrace.engine import open_engine
from headrace.kernel.model import Blocked, Entry, EnvId, Over, Retry, Retrying, RunId, State, later
from headrace.ports import Api, Channel, Stores, WorkApi
from headrace.sdk.execution import Runnable
from headrace.sdk.sealing import Sealer
from headrace.testing.clock import ManualClock
from headrace.wire.channel import Hello, Operation, Push, Renewed, Told
from headrace.wire.registration import Registration, StreamSpec, TaskSpec
from headrace.wire.views import RunView, TriggerOrder
from headrace.worker import Options, Worker

ENV = EnvId("test")
INPUTS = ("x", "y", "z", "stop")
OUTPUTS = ("out",)
CALM = 60
"""Rounds of the event loop in which nothing was said that count as rest."""
LEASE_MS = 6_000


class NoChance:
    """Chance without any."""

    def jitter(self) -> float:
        return 0.0

    def unique(self, size: int) -> bytes:
        self._count = getattr(self, "_count", 0) + 1
        return self._count.to_bytes(size, "big")


class Longest(NoChance):
    """Makes every pause nearly as long as it may be."""

    def jitter(self) -> float:
        return 0.95


PLAIN = Options(worker="", chance=NoChance())
SAVING = replace(PLAIN, sealer=Sealer.of(["a key of the tests"]), snapshots="always", strict=True)


@dataclass
class Faults:
    """When a link breaks. `told` counts entries pushed, `said` frames either way."""

    cut_before: frozenset[int] = frozenset()
    """Frames, counted in both directions, that get lost with the connection."""
    kill_at: int | None = None
    """The entry with whose push the worker is killed."""
    hears_it: bool = False
    """Whether it still hears of that entry."""
    said: int = 0
    told: int = 0
    killed: asyncio.Event = field(default_factory=asyncio.Event)

    def loses(self) -> bool:
        """Count a frame; tell whether it is lost."""
        self.said += 1
        return self.said in self.cut_before

    def kills(self, pushes: Sequence[Push]) -> bool:
        """Count the entries in a frame; tell whether they are the worker's last."""
        before = self.told
        self.told += sum(len(push.entries) for push in pushes if isinstance(push, Told))
        return self.kill_at is not None and before <= self.kill_at < self.told


class Link:
    """A channel that may break."""

    def __init__(self, channel: Channel, faults: Faults) -> None:
        self._channel, self._faults = channel, faults
        self._is_cut = asyncio.Event()

    def post(self, operations: Sequence[Operation]) -> None:
        if all(isinstance(op, Renewed) for op in operations):
            return
        if self._is_cut.is_set() or self._faults.killed.is_set() or self._faults.loses():
            self._is_cut.set()
            return
        self._channel.post(operations)

    @property
    def pushes(self) -> AsyncIterator[Sequence[Push]]:
        return self._read()

    async def _read(self) -> AsyncGenerator[Sequence[Push]]:
        coming = aiter(self._channel.pushes)
        while True:
            pushes = await _first(anext(coming, None), self._is_cut.wait())
            if pushes is None or isinstance(pushes, bool) or self._faults.loses():
                self._is_cut.set()
                return
            if self._faults.kills(pushes):
                if self._faults.hears_it:
                    yield pushes
                self._faults.killed.set()
                await asyncio.Event().wait()
            yield pushes


async def _first(one: Awaitable[object], other: Awaitable[object]) -> Sequence[Push] | bool | None:
    """Return what ends first; both ends are cleaned up."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_whole(one)), group.create_task(_whole(other))]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
    found = [task.result() for task in tasks if task in done]
    return found[0]  # type: ignore[return-value]  # pushes, the end of them, or the cut


async def _whole(one: Awaitable[object]) -> object:
    return await one


class Breaking:
    """A `WorkApi` whose links break."""

    def __init__(self, api: WorkApi, faults: Faults) -> None:
        self._api, self._faults = api, faults

    async def register(self, registration: Registration) -> None:
        await self._api.register(registration)

    async def listing(self) -> Registration | None:
        return await self._api.listing()

    def attach(self, hello: Hello) -> AbstractAsyncContextManager[Channel]:
        return self._attached(hello)

    @asynccontextmanager
    async def _attached(self, hello: Hello) -> AsyncGenerator[Channel]:
        async with self._api.attach(hello) as channel:
            yield Link(channel, self._faults)


Code = Callable[[bytes], Awaitable[bytes]]


class Job:
    """A task for a scene."""

    def __init__(self, name: str, code: Code, retry: Retry | None = None) -> None:
        self.id = name
        self.spec = TaskSpec(id=name, retry=retry or Retry(max_attempts=3, jitter=False))
        self._code = code

    async def execute(self, payload: bytes) -> bytes:
        return await self._code(payload)


class Scene:
    """What a test holds."""

    def __init__(
        self,
        api: Api,
        stores: Stores,
        clock: ManualClock,
        jobs: Sequence[Runnable],
        inputs: Sequence[str],
    ) -> None:
        self.api, self.stores, self.clock = api, stores, clock
        self._inputs = inputs
        self._jobs: Mapping[str, Runnable] = {job.id: job for job in jobs}
        self._runs: list[RunId] = []

    @property
    def registration(self) -> Registration:
        inputs = [StreamSpec(name=name, inward=True) for name in self._inputs]
        outputs = [StreamSpec(name=name, inward=False) for name in OUTPUTS]
        tasks = tuple(job.spec for job in self._jobs.values())
        return Registration(version="1", tasks=tasks, streams=(*inputs, *outputs))

    def worker(
        self,
        name: str,
        faults: Faults | None = None,
        options: Options = PLAIN,
        *,
        api: WorkApi | None = None,
        without: str = "",
    ) -> Worker:
        """Hire a worker; nothing happens until it runs. It does not have the task `without`."""
        link = api or (self.api if faults is None else Breaking(self.api, faults))
        known = {job_id: job for job_id, job in self._jobs.items() if job_id != without}
        return Worker(link, known, self.registration, replace(options, worker=name))

    async def start(self, task: str = "job", payload: bytes = b"1") -> str:
        run = (await self.api.trigger(task, order(payload))).id
        self._runs.append(RunId(run))
        return run

    async def calm(self) -> None:
        """Return once nothing has changed for some rounds of the event loop."""
        calm, before = 0, list[int]()
        while calm < CALM:
            now = await self._versions()
            calm, before = (calm + 1, before) if now == before else (0, now)
            await asyncio.sleep(0)

    async def _versions(self) -> list[int]:
        runs = [await self.stores.runs.load(run) for run in self._runs]
        return [run.version for run in runs if run is not None]

    async def over(self, run: str) -> RunView:
        """Wait for the end of the run; its failed attempts are tried again without a pause."""
        await self.ended_or(run, asyncio.Event())
        return await self.api.retrieve(run)

    async def is_over(self, run: str) -> bool:
        """Tell whether the run has ended, or is blocked."""
        return isinstance(await self._state(run), Over | Blocked)

    async def ended_or(self, run: str, other: asyncio.Event) -> bool:
        """Wait for the end of the run, or for something else; tell whether it was the end."""
        try:
            async with asyncio.timeout(10):
                while not other.is_set():
                    match await self._state(run):
                        case Over() | Blocked():
                            return True
                        case Retrying():
                            await self.pass_time(60_000)
                            await self.calm()
                        case _:
                            await asyncio.sleep(0)
        except TimeoutError:
            raise AssertionError(f"{run} hangs: {await self._state(run)}") from None
        return False

    async def _state(self, run: str) -> State | None:
        known = await self.stores.runs.load(RunId(run))
        return None if known is None else known.state

    async def pass_time(self, ms: int) -> None:
        """Let time pass, without anybody's lease ending by it."""
        await self.stores.leases.extend(later(self.clock.now(), ms + LEASE_MS))
        self.clock.advance(ms)

    async def bury(self, ms: int = 2 * LEASE_MS) -> None:
        """Let the leases of the dead end: not at a stroke, which the engine takes for its own."""
        for _ in range(ms // 1_000):
            self.clock.advance(1_000)
            await self.calm()

    async def journal(self, run: str) -> tuple[Entry, ...]:
        return tuple(await self.stores.runs.journal(RunId(run)))


def order(payload: bytes) -> TriggerOrder:
    return TriggerOrder(payload=Raw(payload))


@asynccontextmanager
async def setting(
    *jobs: Runnable,
    inputs: Sequence[str] = INPUTS,
    planted: Callable[[Stores], Stores] = lambda stores: stores,
) -> AsyncGenerator[Scene]:
    """Open a store and an engine on it (with what is `planted` in between), the tasks declared."""
    clock = ManualClock()
    async with open_memory(clock) as stores, open_engine(planted(stores), NoChance()) as engine:
        scene = Scene(engine.at(ENV), stores, clock, jobs, inputs)
        await scene.api.register(scene.registration)
        yield scene


@asynccontextmanager
async def employed(worker: Worker) -> AsyncGenerator[None]:
    """Let a worker work while the block lasts; it is not asked to drain."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(worker.run())
        await worker.attached.wait()
        try:
            yield
        finally:
            working.cancel()
