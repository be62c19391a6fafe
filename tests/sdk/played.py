"""One life of a run, with a test for a server: it sees what is posted and says what is pushed.

Owns: frames as they would go out, and entries as they would come back.
Must never know: any engine.
"""

import asyncio
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from headrace.kernel.model import EPOCH, Ending, Entry, Instant, Key, Kind, Retry, inward
from headrace.sdk.awaited import Awaited
from headrace.sdk.execution import SLEEP, Execution, make_current, require, sleep_on, take_on
from headrace.sdk.execution_life import Life, Manner
from headrace.sdk.execution_question import Place
from headrace.sdk.scope import install
from headrace.wire.channel import Assigned, Operation, Push, Refusal, Stopping, Told
from headrace.wire.registration import TaskSpec
from headrace.worker.frames import Frames

RUN, EPOCH_NO = "run_1", 7
ROUNDS = 60
Flow = Callable[[], Awaitable[bytes | None]]
Op = TypeVar("Op", bound=Operation)


class Played:
    """A task that does what `flow` does."""

    id = "played"
    spec = TaskSpec(id="played", retry=Retry(max_attempts=2))

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    async def execute(self, payload: bytes) -> bytes:  # noqa: ARG002 - as a task is called
        return await self._flow() or b"null"


class Wire:
    """A channel that keeps what is posted on it."""

    def __init__(self) -> None:
        self.frames: list[list[Operation]] = []

    @property
    def pushes(self) -> AsyncIterator[Sequence[Push]]:
        raise NotImplementedError

    def post(self, operations: Sequence[Operation]) -> None:
        self.frames.append(list(operations))


class Play:
    """What a test does with the life."""

    def __init__(self, life: Life, wire: Wire, entries: Sequence[Entry]) -> None:
        self.life, self.wire = life, wire
        self.next_n = len(entries)

    async def frames(self, rounds: int = ROUNDS) -> list[list[Operation]]:
        """Let the code come to rest; return the frames that have gone out since the last look."""
        for _ in range(rounds):
            await asyncio.sleep(0)
        frames = self.wire.frames[:]
        self.wire.frames.clear()
        return frames

    async def posted(self, rounds: int = ROUNDS) -> list[Operation]:
        """The same, all frames in one."""
        return [operation for frame in await self.frames(rounds) for operation in frame]

    async def ended(self, kind: type[Op]) -> Op:
        """Wait for the operation by which the run ends, which may need a thread."""
        async with asyncio.timeout(5):
            while True:
                for operation in await self.posted():
                    if isinstance(operation, kind):
                        return operation

    def tell(self, *entries: Entry) -> None:
        """Push entries, numbered on."""
        first = self.next_n
        self.next_n += len(entries)
        numbered = tuple(_numbered(entry, first + i) for i, entry in enumerate(entries))
        self.life.receive(Told(RUN, EPOCH_NO, numbered))

    def echo(self, *entries: Entry) -> None:
        """Push entries that the worker has sent itself: without their bodies."""
        self.tell(*(entry_of(entry.key, entry.kind, entry.ending, b"") for entry in entries))

    def stop(self) -> None:
        self.life.receive(Stopping(RUN, EPOCH_NO))

    def refuse(self, key: str, code: str, message: str = "no") -> None:
        self.life.receive(Refusal(RUN, EPOCH_NO, key, code, message))


@asynccontextmanager
async def playing(
    flow: Flow,
    *entries: Entry,
    manner: Manner = Manner(),  # noqa: B008 - frozen
    stopping: bool = False,
    newest: dict[str, tuple[int, bytes]] | None = None,
    metadata: bytes = b"",
    mark: tuple[int, ...] = (),
) -> AsyncGenerator[Play]:
    """Begin a life of a run that remembers `entries`."""
    install(asyncio.get_running_loop())
    wire = Wire()
    frames = Frames(lambda: None)
    frames.connect(wire, ())
    recorded = tuple(_numbered(entry, n) for n, entry in enumerate(entries))
    assigned = Assigned(
        run=RUN,
        epoch=EPOCH_NO,
        task="played",
        attempt=1,
        payload=b"",
        metadata=metadata,
        mark=mark,
        entries=recorded,
        newest=newest or {},
        tags=("blue",),
        stopping=stopping,
    )
    life = Life(assigned, Played(flow), frames, manner)
    context = contextvars.copy_context()
    context.run(make_current, Execution(life))
    life.begin(context)
    play = Play(life, wire, recorded)
    try:
        yield play
    finally:
        life.drop()
        await play.frames()


# --- entries ---------------------------------------------------------------------------------


def entry_of(
    key: str,
    kind: Kind = "step",
    ending: Ending = "value",
    body: bytes = b"1",
    *,
    seq: int = -1,
    deadline: int | None = None,
    line: str = "",
    fingerprint: str = "",
) -> Entry:
    """Return an entry without a number."""
    stream = inward(key.rpartition("/")[2].partition("#")[0]) if kind == "take" else None
    return Entry(
        n=-1,
        key=Key(key),
        kind=kind,
        ending=ending,
        body=body,
        at=EPOCH,
        fingerprint=fingerprint,
        line=line,
        stream=stream,
        seq=seq,
        deadline=None if deadline is None else Instant(deadline),
    )


def take(key: str, body: bytes, seq: int = 0, *, deadline: int | None = None) -> Entry:
    return entry_of(key, "take", "value", body, seq=seq, deadline=deadline)


def cancelled(key: str) -> Entry:
    return entry_of(key, "take", "cancelled", b"")


def _numbered(entry: Entry, n: int) -> Entry:
    return Entry(
        n=n,
        key=entry.key,
        kind=entry.kind,
        ending=entry.ending,
        body=entry.body,
        at=entry.at,
        fingerprint=entry.fingerprint,
        line=entry.line,
        stream=entry.stream,
        seq=entry.seq,
        deadline=entry.deadline,
    )


# --- what flows are made of ------------------------------------------------------------------


def wait(stream: str, timeout_ms: int | None = None) -> Awaited[bytes | None]:
    """Wait for the next record, parked."""
    return Awaited(_take(stream, timeout_ms, parks=True))


def once(stream: str, timeout_ms: int | None = None) -> Awaited[bytes | None]:
    """Wait for the next record, in memory."""
    return Awaited(_take(stream, timeout_ms, parks=False))


def again(place: Place) -> Awaited[Any]:
    """Go on with one of these where a snapshot was made in it."""
    run, line = require("take"), f"flow.py:{place.name}"
    if place.name == SLEEP:
        return Awaited(sleep_on(run, place, line=line))
    return Awaited(_take_on(run, place, line))


async def _take_on(run: Execution, place: Place, line: str) -> bytes | None:
    taken = await take_on(run, inward(place.name), place, fits=bytes, line=line, on_invalid="wait")
    return None if taken is None else taken.body


async def _take(stream: str, timeout_ms: int | None, *, parks: bool) -> bytes | None:
    taken = await require("take").take(
        inward(stream),
        stream,
        fits=bytes,
        timeout_ms=timeout_ms,
        until=None,
        parks=parks,
        line=f"flow.py:{stream}",
    )
    return None if taken is None else taken.body


async def step(
    name: str, effect: Callable[[], Awaitable[bytes]] | bytes = b"1", fingerprint: str = ""
) -> bytes:
    """Run a step."""

    async def call() -> bytes:
        return effect if isinstance(effect, bytes) else await effect()

    return await require("step").step(name, call, fingerprint=fingerprint, line=f"flow.py:{name}")


def sleep(timeout_ms: int) -> Awaited[None]:
    """Wait for some time."""
    run = require("sleep")
    return Awaited(run.sleep(timeout_ms=timeout_ms, until=None, line="flow.py:sleep"))
