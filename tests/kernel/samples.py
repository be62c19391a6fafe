"""Runs and commands to ask the kernel about, one of each kind, and how a whole answer is written.

Must never know: what the right answers are.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from headrace.kernel import commands as c
from headrace.kernel.journal import inserting, skipping
from headrace.kernel.machine import decide
from headrace.kernel.model import (
    Blocked,
    Canceled,
    Cause,
    Delayed,
    Ending,
    Entry,
    EnvId,
    Instant,
    Key,
    Limits,
    Over,
    Queued,
    Record,
    Retry,
    Retrying,
    Run,
    RunId,
    Running,
    Stop,
    TaskId,
    TimedOut,
    Wait,
    Waiting,
    WorkerId,
    inward,
)

THEN, NOW, SOON, LATER = Instant(1_000), Instant(2_000), Instant(3_000), Instant(9_000)
ME, OTHER = WorkerId("me"), WorkerId("other")
EPOCH: Final = 4
CAUSE: Final = Cause("why", "ValueError")
APPROVAL, NOTES = inward("approval"), inward("notes")
RETRY: Final = Retry(first_ms=1_000, jitter=False)

STANDING: Final = Wait(Key("/approval#0"), APPROVAL, deadline=SOON, since=THEN)
NEXT: Final = Wait(Key("/approval#1"), APPROVAL, held=False)
FIRST: Final = Record(2, b'"first"', NOW)
BODY: Final = b"a snapshot"
STEP: Final = Entry(0, Key("/step#0"), "step", "value", b"1", NOW)
SKIP: Final = skipping(replace(STEP, n=1, line="tasks.py:3"))
INSERT: Final = inserting(Key("/audit#0"))

_NEW: Final = Run(RunId("run"), EnvId("env"), TaskId("task"), THEN, Queued(THEN), version=9)
_BEGUN: Final = replace(
    _NEW,
    epoch=EPOCH,
    attempt=1,
    started=THEN,
    entries=3,
    cursors={APPROVAL: 2},
    waits=(STANDING,),
    ran_ms=50,
)
_STOP: Final = Stop(SOON, Canceled())

RUNS: Final[dict[str, Run]] = {
    "delayed": replace(_NEW, state=Delayed(SOON)),
    "queued": _NEW,
    "too-old": replace(_NEW, limits=Limits(ttl_ms=1_000)),
    "resumed": replace(_BEGUN, state=Queued(THEN)),
    "retrying": replace(_BEGUN, state=Retrying(SOON), failures=1, waits=()),
    "running": replace(_BEGUN, state=Running(ME), resumed=THEN),
    "warm": replace(_BEGUN, state=Waiting(ME)),
    "cold": replace(_BEGUN, state=Waiting(None)),
    "blocked": replace(_BEGUN, state=Blocked(CAUSE)),
    "saved": replace(_BEGUN, state=Running(ME), resumed=THEN, saved=2, base=1),
    "saved-warm": replace(_BEGUN, state=Waiting(ME), saved=2, base=1),
    "over": replace(_BEGUN, state=Over(Canceled(), THEN), waits=()),
    "stopping": replace(_BEGUN, state=Running(ME), resumed=THEN, stop=_STOP),
    "stopping-queued": replace(_BEGUN, state=Queued(THEN), stop=_STOP),
    "frail": replace(_BEGUN, state=Running(ME), resumed=THEN, lost=2),
    "stopping-frail": replace(_BEGUN, state=Running(ME), resumed=THEN, stop=_STOP, lost=2),
    "too-long": replace(_BEGUN, state=Running(ME), resumed=THEN, stop=Stop(SOON, TimedOut())),
    "too-long-frail": replace(
        _BEGUN, state=Running(ME), resumed=THEN, stop=Stop(SOON, TimedOut()), lost=2
    ),
}

COMMANDS: Final[dict[str, c.Command]] = {
    "claim": c.Claim(OTHER, "v2"),
    "lose": c.Lose(ME),
    "lose-another": c.Lose(OTHER),
    "deliver": c.Deliver(APPROVAL, (FIRST,)),
    "deliver-elsewhere": c.Deliver(NOTES, (Record(0, b"1", NOW),)),
    "elapse": c.Elapse({APPROVAL: FIRST}),
    "cancel": c.Cancel(30_000),
    "reschedule": c.Reschedule(LATER),
    "unblock": c.Unblock(),
    "restart": c.Restart(),
    "accept": c.Accept((SKIP, INSERT)),
    "stand": c.Stand(EPOCH, NEXT),
    "stand-again": c.Stand(EPOCH, STANDING),
    "park": c.Park(EPOCH, seen=3),
    "park-behind": c.Park(EPOCH, seen=2),
    "leave": c.Leave(EPOCH, STANDING.key),
    "leave-nothing": c.Leave(EPOCH, NEXT.key),
    "remember": c.Remember(EPOCH, (STEP,)),
    "save": c.Save(EPOCH, 3, BODY),
    "save-and-drop": c.Save(EPOCH, 3, BODY, drops=True),
    "save-and-leave": c.Save(EPOCH, 3, BODY, leaves=True),
    "save-behind": c.Save(EPOCH, 2, BODY, drops=True, leaves=True),
    "release": c.Release(EPOCH),
    "complete": c.Complete(EPOCH, b'"out"'),
    "fail": c.Fail(EPOCH, CAUSE, RETRY, jitter=0.5, seen=3),
    "fail-for-good": c.Fail(EPOCH, CAUSE, RETRY, jitter=0.5, again=False),
    "yield": c.Yield(EPOCH),
    "block": c.Block(EPOCH, CAUSE),
}


@dataclass(frozen=True, slots=True)
class Becomes:
    """A whole answer: what differs afterwards, the entries that are added, and what is saved."""

    changes: dict[str, object] = field(default_factory=dict[str, object])
    entries: tuple[Entry, ...] = ()
    body: bytes | None = None
    dropped: int | None = None


Answer: TypeAlias = Becomes | type[c.Refused]
SAME: Final = Becomes()


def becomes(*entries: Entry, **changes: object) -> Becomes:
    """Say what a lasting change makes different, its version and time with it."""
    return Becomes({"version": 10, "updated": NOW, **changes}, entries)


def keeps(dropped: int | None = None, **changes: object) -> Becomes:
    """Say what differs once there is a snapshot."""
    return replace(becomes(saved=3, **changes), body=BODY, dropped=dropped)


def taken(n: int, wait: Wait, record: Record) -> Entry:
    """Return the entry of a wait that got a record."""
    return replace(ending(n, wait, "value"), body=record.body, seq=record.seq)


def ending(n: int, wait: Wait, how: Ending) -> Entry:
    """Return the entry of a wait that ended without a record."""
    return Entry(n, wait.key, "take", how, b"", NOW, stream=wait.stream, deadline=wait.deadline)


def ask(run: Run, command: c.Command, now: Instant = NOW) -> Answer:
    """Return the kernel's answer in the form of the table."""
    try:
        change = decide(run, command, now)
    except c.Refused as refused:
        return type(refused)
    assert change.before is run
    assert change.undone == (0 if isinstance(command, c.Restart) else None)
    names = [name for name in Run.__slots__ if getattr(run, name) != getattr(change.after, name)]
    changes = {name: getattr(change.after, name) for name in names}
    return Becomes(changes, change.entries, change.saved, change.dropped)
