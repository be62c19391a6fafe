"""Two stores, one story: whatever is asked, another answers as the memory backend does."""

import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

from anyio.from_thread import start_blocking_portal
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from headrace.backends.memory import open_memory
from headrace.backends.sqlite import Settings, open_sqlite
from headrace.errors import HeadraceError
from headrace.kernel.commands import Change, Claim
from headrace.kernel.model import (
    Delayed,
    EnvId,
    Limits,
    Queued,
    Run,
    RunId,
    StreamId,
    TaskId,
    WorkerId,
    inward,
    later,
    outward,
)
from headrace.ports import (
    Backlog,
    Clash,
    Conflict,
    Delivering,
    Draft,
    Filter,
    Order,
    Stores,
    Tagged,
)
from headrace.testing.contracts.given import ENV, T0, step

T = TypeVar("T")
FAR = later(T0, 10**9)
names = st.sampled_from([RunId(f"run-{n}") for n in range(6)])
envs = st.sampled_from([ENV, EnvId("prod")])
tasks = st.sampled_from([TaskId("greet"), TaskId("leave")])
keys = st.sampled_from(["", "k1", "k2"])
spans = st.integers(0, 3).map(lambda n: n * 1_000)
streams = st.sampled_from([inward("approval"), outward("approval"), inward("é")])
workers = st.sampled_from([WorkerId("worker-1"), WorkerId("worker-2")])
bodies = st.sampled_from([b"", b"1", b"x" * 1_500])
seeds = st.integers(0, 100_000)


class Pair(RuleBasedStateMachine):
    """Asks both stores, and compares what they say."""

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        folder = Path(self.open.enter_context(tempfile.TemporaryDirectory()))
        self.portal = self.open.enter_context(start_blocking_portal())
        self.stores = [
            self.open.enter_context(self.portal.wrap_async_context_manager(opened))
            for opened in (open_memory(), self.compared(folder))
        ]
        self.now = T0
        self.stale: Run | None = None

    def compared(self, folder: Path) -> AbstractAsyncContextManager[Stores]:
        """Return the store that is compared with the one in memory."""
        return open_sqlite(folder / "headrace.db", settings=Settings(wal_pages=20))

    def teardown(self) -> None:
        self.open.close()

    def both(self, ask: Callable[[Stores], Awaitable[T]]) -> T | str:
        """Return what both answer; a refusal is its name."""

        async def answer(stores: Stores) -> T | str:
            try:
                return await ask(stores)
            except (Conflict, Clash, HeadraceError) as error:
                return type(error).__name__

        memory, compared = [self.portal.call(answer, stores) for stores in self.stores]
        assert compared == memory
        return memory

    def load(self, name: RunId) -> Run | None:
        return cast("Run | None", self.both(lambda stores: stores.runs.load(name)))


class RunRules(Pair):
    """Runs are created, claimed, found, and go on."""

    @rule(ms=st.integers(0, 2_000))
    def time_passes(self, ms: int) -> None:
        self.now = later(self.now, ms)

    @rule(data=st.data(), name=names, env=envs, task=tasks, delayed=st.booleans())
    def create(
        self, data: st.DataObject, name: RunId, env: EnvId, task: TaskId, *, delayed: bool
    ) -> None:
        state = Delayed(later(self.now, 500)) if delayed else Queued(self.now)
        limits = Limits(2, data.draw(st.sampled_from([None, 0, 700])), 3_000)
        run = Run(name, env, task, self.now, state, limits, updated=self.now)
        order = Order(
            payload=data.draw(bodies),
            metadata=data.draw(bodies),
            tags=tuple(data.draw(st.lists(keys, max_size=2))),
            key=data.draw(keys),
            key_until=later(self.now, data.draw(spans)),
            request_key=data.draw(keys),
            request_until=later(self.now, data.draw(spans)),
        )
        free = data.draw(st.none() | names)
        self.both(lambda stores: stores.runs.create(run, order, free=free))

    @rule(worker=workers, env=envs, some=st.lists(tasks), limit=st.integers(0, 3))
    def claim(self, worker: WorkerId, env: EnvId, some: list[TaskId], limit: int) -> None:
        command = Claim(worker, f"version of {worker}")
        self.both(lambda stores: stores.runs.claim(command, env, some, self.now, limit))

    @rule(name=names, seed=seeds)
    def go_on(self, name: RunId, seed: int) -> None:
        run = self.load(name)
        change = None if run is None else step(run, seed, self.now)
        if change is not None:
            self.stale = run
            self.both(lambda stores: stores.runs.commit(change))

    @precondition(lambda self: self.stale is not None)
    @rule(seed=seeds)
    def go_on_from_an_old_story(self, seed: int) -> None:
        run = cast("Run", self.stale)
        change = step(run, seed, self.now)
        if change is not None:
            self.both(lambda stores: stores.runs.commit(change))

    @rule(name=names, value=st.none() | bodies)
    def metadata(self, name: RunId, value: bytes | None) -> None:
        self.both(lambda stores: stores.runs.metadata(name, value))

    @rule(worker=workers, end=spans, what=st.sampled_from(["sit", "drop", "extend"]))
    def lease(self, worker: WorkerId, end: int, what: str) -> None:
        until = later(self.now, end)

        async def ask(stores: Stores) -> None:
            match what:
                case "sit":
                    await stores.leases.sit(worker, until)
                case "drop":
                    await stores.leases.drop(worker, until)
                case _:
                    await stores.leases.extend(until)

        self.both(ask)

    @rule(data=st.data(), env=envs)
    def find(self, data: st.DataObject, env: EnvId) -> None:
        states = st.sampled_from(["Queued", "Running", "Waiting", "Over", "Failed", "Blocked"])
        query = Filter(
            env,
            data.draw(st.integers(1, 3)),
            after=data.draw(st.none() | names),
            before=data.draw(st.none() | names),
            states=tuple(data.draw(st.lists(states, max_size=2))),
            tasks=tuple(data.draw(st.lists(tasks, max_size=1))),
            tags=tuple(data.draw(st.lists(keys, max_size=1))),
            waiting=data.draw(st.booleans()),
        )
        self.both(lambda stores: stores.runs.find(query))


class TwoStores(RunRules):
    """Records are appended, alone or with what they lead to."""

    @rule(name=names, stream=streams, back=st.integers(-1, 1), key=keys, body=bodies)
    def append(self, name: RunId, stream: StreamId, back: int, key: str, body: bytes) -> None:
        one = self._draft(name, stream, back, key, body)
        self.both(lambda stores: stores.streams.append(one))

    @rule(name=names, stream=streams, back=st.integers(0, 1), key=keys, body=bodies, seed=seeds)
    def deliver(
        self, name: RunId, stream: StreamId, back: int, key: str, body: bytes, *, seed: int
    ) -> None:
        run = self.load(name)
        if run is None:
            return
        one = self._draft(name, stream, back, key, body)
        change = step(run, seed, self.now) or Change(run, run)

        async def ask(stores: Stores) -> None:
            assert isinstance(stores.streams, Delivering)
            await stores.streams.deliver([one, replace(one, seq=one.seq + 1, key=b"")], change)

        self.both(ask)

    def _draft(self, name: RunId, stream: StreamId, back: int, key: str, body: bytes) -> Draft:
        tail = self.both(lambda stores: stores.streams.backlog(name, stream, 0))
        assert isinstance(tail, Backlog)
        seq = max(0, tail.tail - back)
        return Draft(name, stream, seq, body, self.now, key.encode(), body[:1])

    @rule(name=names, stream=streams, start=st.integers(0, 4), key=keys)
    def look_at_a_stream(self, name: RunId, stream: StreamId, start: int, key: str) -> None:
        async def ask(stores: Stores) -> object:
            known = await stores.streams.known(name, stream, key.encode())
            return [
                await stores.streams.read(name, stream, start, 2),
                await stores.streams.backlog(name, stream, start),
                None if known is None else (known.seq, known.at, known.digest),
            ]

        self.both(ask)

    @invariant()
    def everything_is_the_same(self) -> None:
        async def ask(stores: Stores) -> object:
            runs, streams = stores.runs, stores.streams
            return [
                await runs.find(Filter(ENV, 100)),
                await runs.find(Filter(EnvId("prod"), 100)),
                await runs.due(FAR, 100),
                await runs.due(self.now, 2),
                await stores.leases.lapsed(FAR),
                *[await runs.held(WorkerId(f"worker-{n}")) for n in (1, 2)],
                *[await runs.journal(RunId(f"run-{n}")) for n in range(6)],
                *[await runs.order(RunId(f"run-{n}")) for n in range(6)],
                *[await runs.metadata(RunId(f"run-{n}")) for n in range(6)],
                *[
                    await stores.snapshots.read(run.id, run.saved)
                    for env in (ENV, EnvId("prod"))
                    for run in await runs.find(Filter(env, 100))
                    if run.saved is not None
                ],
                *[await streams.ends(RunId(f"run-{n}")) for n in range(6)],
                await stores.revisions.of([RunId(f"run-{n}") for n in range(6)]),
                await stores.revisions.tagged(Tagged(ENV, ("k1",), T0), 3),
                await stores.revisions.tagged(Tagged(ENV, ("k2", "k1"), later(T0, 1)), 3),
            ]

        self.both(ask)


TestTwoStores = TwoStores.TestCase
# An example costs 60 ms: fewer than others get, and more with the profile that explores.
TestTwoStores.settings = settings(max_examples=settings().max_examples // 2, stateful_step_count=30)
