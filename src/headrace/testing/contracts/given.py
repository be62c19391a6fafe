"""What contracts start from: runs, drafts, and walks through the kernel's whole life cycle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from headrace.kernel import commands as c
from headrace.kernel.commands import Change, Command, Refused
from headrace.kernel.journal import inserting, skipping
from headrace.kernel.machine import decide
from headrace.kernel.model import (
    Blocked,
    Cause,
    Delayed,
    Entry,
    EnvId,
    Footing,
    Function,
    Gap,
    Instant,
    Key,
    Limits,
    Over,
    Queued,
    Record,
    Retry,
    Run,
    RunId,
    Running,
    StreamId,
    TaskId,
    Wait,
    Waiting,
    WorkerId,
    inward,
    later,
)
from headrace.ports import Draft, Order, Stores

T0: Final = Instant(1_700_000_000_000)
ENV: Final = EnvId("dev")
TASK: Final = TaskId("greet")
WORKER: Final = WorkerId("worker-1")
VERSION: Final = "3f2a9c"
APPROVAL: Final = inward("approval")
MEBIBYTE: Final = 1_048_576
BODIES: Final = (
    b"",
    b"null",
    '"na\u00efve \U0001f600 \u202e\u0000 \u5b57"'.encode(),
    b"x" * 1_024,
    b"x" * 1_025,
    b"\xff" * MEBIBYTE,
)
"""Empty, small, unicode, around the limit where a store may put bodies elsewhere, and the most."""

FOOTINGS: Final = (
    Footing("3.11", (Function("tasks:publish", "a1b2"),)),
    Footing("3.13", (Function("tasks:publish", "a1b2"), Function("tâches:Ä.b", "")), keeps=True),
    Footing("", ()),
)


def queued(name: str = "run-1", *, task: TaskId = TASK, env: EnvId = ENV, at: Instant = T0) -> Run:
    """Return a run that waits for its first worker since `at`."""
    return Run(RunId(name), env, task, at, Queued(at), updated=at)


def claimed(run: Run, *, now: Instant = T0) -> Change:
    """Return the change by which `WORKER` takes `run` up."""
    return decide(run, c.Claim(WORKER, VERSION), now)


def answer(key: str, body: bytes = b"1") -> Entry:
    """Return the result of a step, not yet numbered."""
    return Entry(0, Key(key), "step", "value", body, T0, fingerprint="f00", line="task.py:3")


def remembered(run: Run, *keys: str, now: Instant = T0) -> Change:
    """Return the change that adds results of steps to the journal of a run that executes."""
    return decide(run, c.Remember(run.epoch, tuple(map(answer, keys))), now)


def parked(run: Run, *, now: Instant = T0) -> Change:
    """Return the change by which a run that executes waits, warm, for an approval."""
    wait = Wait(Key("/approval#0"), APPROVAL)
    standing = decide(run, c.Stand(run.epoch, wait), now).after
    after = decide(standing, c.Park(run.epoch, run.entries), now).after
    return Change(run, replace(after, version=run.version + 1))


def saved(
    run: Run,
    body: bytes = b"frames",
    *,
    drops: bool = False,
    leaves: bool = False,
    footing: Footing | None = None,
) -> Change:
    """Return the change by which the worker keeps the state of the code, and perhaps leaves."""
    save = c.Save(run.epoch, run.entries, body, drops=drops, leaves=leaves, footing=footing)
    return decide(run, save, T0)


def draft(
    run: Run,
    seq: int,
    body: bytes = b"1",
    *,
    key: bytes = b"",
    digest: bytes = b"",
    stream: StreamId = APPROVAL,
) -> Draft:
    """Return a record to append."""
    return Draft(run.id, stream, seq, body, later(T0, seq), key, digest)


async def executing(stores: Stores, name: str = "run-1") -> Run:
    """Create a run, and let `WORKER` take it up."""
    change = claimed(queued(name))
    await stores.runs.create(change.before, Order())
    await stores.runs.commit(change)
    return change.after


async def filled(stores: Stores, run: Run, count: int, stream: StreamId = APPROVAL) -> None:
    """Append `count` records to an empty stream; record n has the body `n`."""
    for seq in range(count):
        await stores.streams.append(draft(run, seq, str(seq).encode(), stream=stream))


# --- walks -------------------------------------------------------------------------------------


def walk(seed: int, *, steps: int = 30) -> Iterator[Change]:
    """Yield the changes of one run's random life, each from where the last one led.

    The first is no change: its `before` is the run to create.
    """
    walker = _Walker(Random(seed))  # noqa: S311 - the same walk for the same seed
    run = walker.born(f"walk-{seed}")
    yield Change(run, run)
    for _ in range(steps):
        try:
            change = decide(run, walker.command(run), walker.passed())
        except Refused:
            continue
        yield change
        run = change.after
        if isinstance(run.state, Over):
            return


def step(run: Run, seed: int, now: Instant) -> Change | None:
    """Return what one command drawn by `seed` does to `run`, or nothing where it is refused."""
    walker = _Walker(Random(seed), now, seed % 10)  # noqa: S311 - the same step for the same seed
    try:
        return decide(run, walker.command(run), now)
    except Refused:
        return None


@dataclass(slots=True)
class _Walker:
    """Draws commands that a run's state often allows, at instants that go on."""

    random: Random
    now: Instant = T0
    count: int = 0

    def passed(self) -> Instant:
        self.now = later(self.now, self.random.choice((0, 1, 1_000, 40_000)))
        return self.now

    def key(self) -> Key:
        self.count += 1
        return Key(f"/thing#{self.count}")

    def born(self, name: str) -> Run:
        limits = Limits(
            max_attempts=self.random.randint(1, 3),
            ttl_ms=self.random.choice((None, None, 0, 60_000)),
            max_duration_ms=self.random.choice((None, 5_000, 3_600_000)),
        )
        state = self.random.choice((Queued(T0), Delayed(later(T0, 1_500))))
        return Run(RunId(name), ENV, TASK, T0, state, limits, updated=T0)

    def command(self, run: Run) -> Command:
        match run.state:
            case Running() | Waiting(worker=str()):
                return self.random.choice(
                    (*self._of_worker(run), *self._of_worker(run), *self._outside(run))
                )
            case Blocked():
                return self.random.choice((*self._mending(run), *self._outside(run)))
            case _:
                return self.random.choice(self._outside(run))

    def _outside(self, run: Run) -> list[Command]:
        heads = {APPROVAL: self._record(run)} if self.random.random() < 0.5 else {}
        claim, deliver = c.Claim(WORKER, VERSION), c.Deliver(APPROVAL, (self._record(run),))
        often: list[Command] = [claim, deliver] * 3
        seldom: list[Command] = [c.Cancel(30_000)] if self.random.random() < 0.3 else []
        return [*often, *seldom, c.Elapse(heads), c.Lose(WORKER)]

    def _mending(self, run: Run) -> list[Command]:
        skip = skipping(replace(answer(self.key()), n=max(0, run.entries - 1)))
        accept = c.Accept((skip, inserting(self.key())))
        return [command for command in (c.Unblock(), c.Restart(), accept) for _ in range(4)]

    def _record(self, run: Run) -> Record:
        return Record(run.cursors.get(APPROVAL, 0), b"true", self.now)

    def _of_worker(self, run: Run) -> list[Command]:
        epoch, entries = run.epoch, run.entries
        again = self.random.random() < 0.8
        cause = Cause("it broke", "ValueError", "line 1\nline 2")
        first = max(0, entries - self.random.randint(0, 2))
        fail = c.Fail(
            epoch, cause, Retry(), 0.5, again=again, undone=first, seen=entries,
            revived={Key("/late#1"): later(self.now, 9)},
        )  # fmt: skip
        return [
            *[c.Stand(epoch, self._wait()) for _ in range(6)],
            *[c.Remember(epoch, (replace(answer(self.key()), n=7),)) for _ in range(3)],
            *[c.Leave(epoch, wait.key) for wait in run.waits[:1]],
            *[c.Park(epoch, entries) for _ in range(4)],
            *[self._save(run) for _ in range(3 if isinstance(run.state, Running) else 9)],
            c.Release(epoch),
            fail,
            self.random.choice(
                (
                    c.Block(epoch, cause, self._gap(entries)),
                    c.Complete(epoch, b'{"ok": true}'),
                    c.Yield(epoch),
                )
            ),
        ]

    def _gap(self, entries: int) -> Gap | None:
        keys = (Key("/added#0"), Key("1/added#3"))
        gap = Gap(max(0, entries - 1), keys[: self.random.randint(0, 2)])
        return gap if entries and self.random.random() < 0.7 else None

    def _save(self, run: Run) -> c.Save:
        body = self.random.randbytes(self.random.choice((1, 130, 5_000)))
        drops, leaves = self.random.random() < 0.3, self.random.random() < 0.5
        footing = (None, *FOOTINGS)[len(body) % 4]
        return c.Save(run.epoch, run.entries, body, drops=drops, leaves=leaves, footing=footing)

    def _wait(self) -> Wait:
        return Wait(
            self.key(),
            self.random.choice((APPROVAL, inward("cancel"), None)),
            deadline=self.random.choice((None, later(self.now, 500), later(self.now, 90_000))),
            held=self.random.random() < 0.6,
            fingerprint=self.random.choice(("", "f00")),
            line="task.py:7",
        )
