"""How a run changes: every transition there is, and nothing else.

Rule 1: no clock, no randomness, no I/O; what is needed comes in as an argument.
Rule 2: a backend may apply a transition faster (in SQL), never differently.
Rule 3: a wait that stands takes the record at the cursor, first come, first served (a waitpoint's
        is for all), in any state; the entry, the cursor and the end of the wait are one change.
Rule 4: a worker's command counts only with the run's epoch, and only while the worker holds it.
Rule 5: once a run is stopping, nothing is taken, timed out or started for it any more.
Rule 6: a snapshot stands for every entry below `saved`; none of them is undone, unless all of them
        are, and the snapshot with them (`Restart`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from headrace.kernel import commands as c
from headrace.kernel.commands import Change, Command, Fenced, Refused, Stopping
from headrace.kernel.effects import (
    answered,
    ended,
    lasting,
    looked_at,
    moments,
    queued,
    rechecked,
    remembered,
    running,
    woken,
)
from headrace.kernel.evolve import evolve
from headrace.kernel.failing import failed
from headrace.kernel.mending import mended
from headrace.kernel.model import (
    Blocked,
    Canceled,
    Cause,
    Completed,
    Crashed,
    Delayed,
    Expired,
    Failed,
    Instant,
    Outcome,
    Over,
    Queued,
    Record,
    Retrying,
    Run,
    Running,
    Stop,
    StreamId,
    TimedOut,
    Wait,
    Waiting,
    WorkerId,
    later,
    waitpoint_of,
)

LOST_AT_MOST = 3
GRACE_MS = 30_000
_LOST = Cause(
    f"{LOST_AT_MOST} workers were lost in a row while they executed this run", "WorkerLost"
)


def decide(run: Run, command: Command, now: Instant) -> Change:
    """Return what `command` does to `run` at `now`, or raise `Refused`."""
    match command:
        case c.Claim():
            change = _claim(run, command, now)
        case c.Lose():
            change = _lose(run, command, now)
        case c.Deliver():
            change = _deliver(run, command, now)
        case c.Elapse():
            change = _elapse(run, command, now)
        case c.Cancel() | c.Reschedule() | c.Recheck():
            change = _asked(run, command, now)
        case c.Unblock() | c.Restart() | c.Accept():
            change = mended(run, command, now)
        case _:
            change = _held(run, command, now)
    if not lasting(change):
        return change
    after = evolve(change.after, version=run.version + 1, updated=now)
    return evolve(change, before=run, after=after)


def holds(run: Run, epoch: int) -> bool:
    """Tell whether the worker that claimed `run` as `epoch` still holds it."""
    match run.state:
        case Running() | Waiting(worker=str()):
            return run.epoch == epoch
        case _:
            return False


def holder(run: Run) -> WorkerId | None:
    """Return the worker that holds the run, executing or warm."""
    match run.state:
        case Running(worker=worker) | Waiting(worker=worker):
            return worker
        case _:
            return None


def is_ready(run: Run, now: Instant) -> bool:
    """Tell whether a worker may take the run up: what is past its time to live only expires."""
    end = _ttl_end(run)
    return isinstance(run.state, Queued) and (end is None or end > now)


def due(run: Run) -> Instant | None:
    """Return when `Elapse` has something to do, if nothing else happens before."""
    if run.stop is not None:
        return None if isinstance(run.state, Over) else run.stop.by
    match run.state:
        case Delayed(until=until) | Retrying(until=until):
            return until
        case Over() | Blocked():
            return None
        case Queued() | Running() | Waiting():
            ends = [end for end in (_ttl_end(run), _duration_end(run)) if end is not None]
            return min(moments(run) + ends, default=None)
        case _:
            assert_never(run.state)


def _ttl_end(run: Run) -> Instant | None:
    match run.state:
        case Queued(since=since) if run.started is None and run.limits.ttl_ms is not None:
            return later(since, run.limits.ttl_ms)
        case _:
            return None


def _duration_end(run: Run) -> Instant | None:
    if run.resumed is None or run.limits.max_duration_ms is None:
        return None
    return later(run.resumed, run.limits.max_duration_ms - run.ran_ms)


# --- from outside ------------------------------------------------------------------------------


def _claim(run: Run, command: c.Claim, now: Instant) -> Change:
    if not is_ready(run, now):
        raise Refused(run, command)
    after = evolve(
        running(run, command.worker, now),
        epoch=run.epoch + 1,
        attempt=run.failures + 1,
        started=now if run.started is None else run.started,
        # Where nothing is remembered, it begins on the code that takes it up now.
        code=run.code or ("" if run.entries else command.version),
    )
    return Change(run, after)


def _lose(run: Run, command: c.Lose, now: Instant) -> Change:
    match run.state:
        case Waiting(worker=command.worker):
            return Change(run, evolve(run, state=Waiting(None)))
        case Running(worker=command.worker) if run.lost + 1 >= LOST_AT_MOST:
            return Change(run, ended(run, _told(run) or Crashed(_LOST), now))
        case Running(worker=command.worker):
            return Change(run, evolve(queued(run, now), lost=run.lost + 1))
        case _:
            raise Refused(run, command)


def _deliver(run: Run, command: c.Deliver, now: Instant) -> Change:
    if isinstance(run.state, Over):
        raise Refused(run, command)
    change = Change(run, run)
    for record in command.records:
        waits = _takers(change.after, command.stream)
        if not waits or record.seq != change.after.cursors.get(command.stream, 0):
            break
        for wait in waits:
            change = answered(change, wait, now, record)
    return woken(change, now)


def _takers(run: Run, stream: StreamId) -> tuple[Wait, ...]:
    """Return the waits that a record of the stream ends: the first, or all for a waitpoint."""
    if run.stop is not None:
        return ()
    waits = tuple(wait for wait in run.waits if wait.stream == stream)
    return waits if waitpoint_of(stream) is not None else waits[:1]


def _elapse(run: Run, command: c.Elapse, now: Instant) -> Change:
    moment = due(run)
    if moment is None or moment > now:
        return Change(run, run)
    if (told := _told(run)) is not None:
        return Change(run, ended(run, told, now))
    match run.state:
        case Delayed() | Retrying():
            return Change(run, queued(run, moment))
        case Queued() if not is_ready(run, now):
            return Change(run, ended(run, Expired(), now))
        case _:
            change = _waits_elapse(run, command.heads, now)
            return _duration_elapses(change, now)


def _waits_elapse(run: Run, heads: Mapping[StreamId, Record], now: Instant) -> Change:
    change = Change(run, run)
    for wait in run.waits:
        if wait.deadline is not None and wait.deadline <= now:
            change = answered(change, wait, now, _head(change.after, wait, heads))
    return woken(evolve(change, after=looked_at(change.after, now)), now)


def _head(run: Run, wait: Wait, heads: Mapping[StreamId, Record]) -> Record | None:
    """Return the record that stands at the cursor, if `wait` is one of those that it ends."""
    if wait.stream is None:
        return None
    first = _takers(run, wait.stream)[:1]
    if waitpoint_of(wait.stream) is None and any(taker.key != wait.key for taker in first):
        return None
    record = heads.get(wait.stream)
    fits = record is not None and record.seq == run.cursors.get(wait.stream, 0)
    return record if fits else None


def _duration_elapses(change: Change, now: Instant) -> Change:
    end = _duration_end(change.after)
    if end is None or end > now:
        return change
    return evolve(change, after=_stopping(change.after, TimedOut(), now, GRACE_MS))


def _stopping(run: Run, outcome: Canceled | TimedOut, now: Instant, grace_ms: int) -> Run:
    return evolve(run, stop=Stop(later(now, grace_ms), outcome))


def _told(run: Run) -> Outcome | None:
    """Return how the run has been told to end: however it ends then, that is its outcome."""
    return None if run.stop is None else run.stop.outcome


def _asked(run: Run, command: c.AskedCommand, now: Instant) -> Change:
    match command, run.state:
        case c.Cancel(), _:
            return _cancel(run, command, now)
        case c.Recheck(until=until), _:
            return Change(run, rechecked(run, until))
        case c.Reschedule(until=until, limits=limits), Delayed():
            return Change(run, evolve(run, state=Delayed(until), limits=limits or run.limits))
        case _:
            raise Refused(run, command)


def _cancel(run: Run, command: c.Cancel, now: Instant) -> Change:
    if run.stop is not None:
        return Change(run, run)
    match run.state:
        case Over():
            return Change(run, run)
        case Delayed() | Retrying() | Blocked():
            return Change(run, ended(run, Canceled(), now))
        case Queued() if run.attempt == run.failures:  # no try is under way
            return Change(run, ended(run, Canceled(), now))
        case Queued() | Running() | Waiting():
            after = _stopping(run, Canceled(), now, command.grace_ms)
            return woken(Change(run, after), now, wake=True)
        case _:
            assert_never(run.state)


# --- from the worker that holds the run ----------------------------------------------------------


def _held(run: Run, command: c.WorkerCommand, now: Instant) -> Change:
    if not holds(run, command.epoch):
        return _late(run, command)
    match command:
        case c.Stand():
            return _stand(run, command, now)
        case c.Park():
            return _park(run, command, now)
        case c.Leave():
            return _leave(run, command, now)
        case c.Remember():
            return remembered(run, command.entries, now)
        case c.Save():
            return _save(run, command)
        case c.Release():
            return _release(run, now)
        case _:
            return _finish(run, command, now)


def _late(run: Run, command: c.WorkerCommand) -> Change:
    """Answer a worker that holds the run no more: its own finish again, or a zombie."""
    finishes = isinstance(command, c.Complete | c.Fail | c.Yield | c.Block | c.Release)
    settled = isinstance(run.state, Over | Retrying | Blocked)
    if finishes and settled and run.epoch == command.epoch:
        return Change(run, run)  # its own command, whose reply was lost
    raise Fenced(run, command)


def _stand(run: Run, command: c.Stand, now: Instant) -> Change:
    wait = command.wait
    if any(other.key == wait.key for other in run.waits):
        return Change(run, run)  # accepted before, by this worker or one before it
    if run.stop is not None:
        raise Stopping(run, command)
    deadlines = dict(run.deadlines)
    deadline = deadlines.pop(wait.key, wait.deadline)
    # Where nobody executes, or something is due, memory alone must not know of it.
    held = wait.held or deadline is not None or isinstance(run.state, Waiting)
    wait = evolve(wait, deadline=deadline, held=held, since=now)
    after = evolve(run, waits=(*run.waits, wait), deadlines=deadlines)
    record = _head(run, wait, command.heads)
    over = deadline is not None and deadline <= now
    if record is None and not over:
        return Change(run, after)
    return woken(answered(Change(run, after), wait, now, record), now)


def _park(run: Run, command: c.Park, now: Instant) -> Change:
    match run.state:
        case Running() if command.seen != run.entries or not run.waits:
            return Change(run, run)  # an answer is on its way; the worker will ask again
        case Running(worker=worker) if run.stop is None:
            waits = tuple(evolve(wait, held=True) for wait in run.waits)
            ran = run.ran_ms + (now - run.resumed if run.resumed is not None else 0)
            state = Waiting(worker)
            return Change(run, evolve(run, state=state, waits=waits, ran_ms=ran, resumed=None))
        case Running():
            raise Stopping(run, command)
        case _:
            return Change(run, run)


def _leave(run: Run, command: c.Leave, now: Instant) -> Change:
    for wait in run.waits:
        if wait.key == command.key:
            change = answered(Change(run, run), wait, now, None, ending="cancelled")
            return woken(change, now)
    return Change(run, run)  # it was answered first; the worker will see the entry


def _save(run: Run, command: c.Save) -> Change:
    is_warm = isinstance(run.state, Waiting)
    if command.seen != run.entries or run.stop is not None or (command.leaves and not is_warm):
        return Change(run, run)  # news are on their way; the worker goes on with them
    after = evolve(
        run,
        state=Waiting(None) if command.leaves else run.state,
        saved=command.seen,
        base=command.seen if command.drops else run.base,
    )
    dropped = command.seen if command.drops else None
    return Change(run, after, saved=command.body, dropped=dropped, footing=command.footing)


def _release(run: Run, now: Instant) -> Change:
    match run.state:
        case Waiting():
            return Change(run, evolve(run, state=Waiting(None)))
        case _:
            return Change(run, queued(run, now))


def _finish(run: Run, command: c.FinishCommand, now: Instant) -> Change:
    if (told := _told(run)) is not None:
        return Change(run, ended(run, told, now))
    match command:
        case c.Block(cause=cause, gap=gap):
            return Change(run, evolve(queued(run, now), state=Blocked(cause, gap)))
        case c.Complete(output=output, stored=stored):
            return Change(run, ended(run, Completed(output, stored), now))
        case c.Yield():
            cause = Cause("the task cancelled itself", "CancelledError")
            return Change(run, ended(run, Failed(cause), now))
        case c.Fail():
            return failed(run, command, now)
        case _:
            assert_never(command)


def outcome_of(run: Run) -> Outcome | None:
    """Return how the run ended, if it has."""
    return run.state.outcome if isinstance(run.state, Over) else None
