"""The small moves that transitions are made of: pure functions from run to run.

Owns: what an answer, a wake-up and an end do to a run. `machine` owns when they happen.
"""

from __future__ import annotations

from collections.abc import Callable

from headrace.kernel.commands import Change
from headrace.kernel.evolve import evolve
from headrace.kernel.model import (
    Completed,
    Ending,
    Entry,
    Instant,
    Kind,
    Outcome,
    Over,
    Queued,
    Record,
    Run,
    Running,
    Wait,
    Waiting,
    WorkerId,
    waitpoint_of,
)


def durable(run: Run) -> Run:
    """Return what a store keeps of the run: all but the waits that live in memory only."""
    if all(wait.held for wait in run.waits):
        return run
    return evolve(run, waits=tuple(wait for wait in run.waits if wait.held))


def is_offered(wait: Wait) -> bool:
    """Tell whether senders find the wait: it is durable, and stands on a stream."""
    return wait.held and wait.stream is not None and waitpoint_of(wait.stream) is None


def fresh(before: Run, after: Run, such: Callable[[Wait], bool]) -> list[Wait]:
    """List the waits of `after` that are such, and that were not, or were not there, before."""
    standing = {wait.key for wait in before.waits if such(wait)}
    return [wait for wait in after.waits if such(wait) and wait.key not in standing]


def rechecked(run: Run, until: Instant) -> Run:
    """Have the log behind the waits read once more, from `until` on."""
    waits = tuple(
        evolve(wait, recheck=max(until, wait.recheck or until)) if is_offered(wait) else wait
        for wait in run.waits
    )
    return run if waits == run.waits else evolve(run, waits=waits)


def looked_at(run: Run, now: Instant) -> Run:
    """Forget the looks into the log that were due: they have been taken."""
    if all(wait.recheck is None or wait.recheck > now for wait in run.waits):
        return run
    waits = (
        evolve(wait, recheck=None) if wait.recheck is not None and wait.recheck <= now else wait
        for wait in run.waits
    )
    return evolve(run, waits=tuple(waits))


def moments(run: Run) -> list[Instant]:
    """List when something about the waits is due."""
    return [moment for wait in run.waits for moment in moments_of(wait)]


def moments_of(wait: Wait) -> list[Instant]:
    """List when something about the wait is due."""
    return [moment for moment in (wait.deadline, wait.recheck) if moment is not None]


def stored_output(change: Change) -> str:
    """Return under which key the output lies with which the run ends now, if it lies elsewhere."""
    match change.before.state, change.after.state:
        case Over(), _:
            return ""
        case _, Over(outcome=Completed(stored=stored)):
            return stored
        case _:
            return ""


def lasting(change: Change) -> bool:
    """Tell whether a store has anything to do for `change`."""
    if change.after is change.before:
        return False
    if change.entries or change.saved is not None:
        return True
    return durable(change.after) != durable(change.before)


def running(run: Run, worker: WorkerId, now: Instant) -> Run:
    """Put the run into `worker`'s hands, its clock running."""
    return evolve(run, state=Running(worker), resumed=now)


def queued(run: Run, since: Instant) -> Run:
    """Take the run out of anybody's hands; what stood only in a worker's memory is gone."""
    held = tuple(wait for wait in run.waits if wait.held)
    paused = _paused(run, since)
    return evolve(paused, state=Queued(since), waits=held)


def ended(run: Run, outcome: Outcome, now: Instant) -> Run:
    """Make the run final: nothing stands any more, and no code goes on from a snapshot."""
    over = Over(outcome, now)
    return evolve(_paused(run, now), state=over, waits=(), deadlines={}, stop=None, saved=None)


def _paused(run: Run, now: Instant) -> Run:
    if run.resumed is None:
        return run
    return evolve(run, ran_ms=run.ran_ms + now - run.resumed, resumed=None)


def remembered(run: Run, entries: tuple[Entry, ...], now: Instant) -> Change:
    """Add `entries` to the journal, numbered on; news from a warm run mean that it executes."""
    numbered = tuple(evolve(entry, n=run.entries + i, at=now) for i, entry in enumerate(entries))
    after = evolve(run, entries=run.entries + len(entries), lost=0)
    return woken(Change(run, after, numbered), now)


def answered(
    change: Change, wait: Wait, now: Instant, record: Record | None, *, ending: Ending = "timeout"
) -> Change:
    """End `wait` with `record`, or with `ending` where there is none.

    A timer's end is its answer: its entry is a value. A waitpoint's record is not used up by
    whoever takes it, so that no cursor moves.
    """
    run = change.after
    kind: Kind = "take" if wait.stream is not None else "timer"
    if record is not None or (kind == "timer" and ending == "timeout"):
        ending = "value"
    entry = Entry(
        n=run.entries,
        key=wait.key,
        kind=kind,
        ending=ending,
        body=b"" if record is None else record.body,
        at=now,
        fingerprint=wait.fingerprint,
        line=wait.line,
        stream=wait.stream,
        seq=-1 if record is None else record.seq,
        deadline=wait.deadline,
    )
    after = evolve(
        run,
        entries=run.entries + 1,
        lost=0,
        waits=tuple(other for other in run.waits if other.key != wait.key),
        cursors=run.cursors
        if record is None or wait.stream is None or waitpoint_of(wait.stream) is not None
        else {**run.cursors, wait.stream: record.seq + 1},
    )
    return Change(change.before, after, (*change.entries, entry), change.undone)


def woken(change: Change, now: Instant, *, wake: bool = False) -> Change:
    """Let a waiting run go on, if it was answered (or `wake` says so)."""
    run = change.after
    if not (change.entries or wake):
        return change
    match run.state:
        case Waiting(worker=None):
            return _with(change, queued(run, now))
        case Waiting(worker=worker) if worker is not None:
            return _with(change, running(run, worker, now))
        case _:
            return change


def _with(change: Change, after: Run) -> Change:
    return Change(change.before, after, change.entries, change.undone)
