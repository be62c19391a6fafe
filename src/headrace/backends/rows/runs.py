"""A run <-> its row."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias, assert_never

import msgspec

from headrace.backends.rows import Row
from headrace.kernel.effects import durable, moments
from headrace.kernel.model import (
    Blocked,
    Canceled,
    Cause,
    Completed,
    Crashed,
    Delayed,
    EnvId,
    Expired,
    Failed,
    Gap,
    Instant,
    Key,
    Limits,
    Outcome,
    Over,
    Queued,
    Retrying,
    Run,
    RunId,
    Running,
    State,
    Stop,
    StreamId,
    TaskId,
    TimedOut,
    Wait,
    Waiting,
    WorkerId,
)


class RunRow(NamedTuple):
    """`run_row`, as the schema's types and CHECKs promise it."""

    no: int
    id: RunId
    env: EnvId
    task: TaskId
    created: Instant
    version: int
    state: str
    moment: Instant
    """Only where the state has one."""
    worker: WorkerId | None
    outcome: str | None
    detail: bytes | None
    epoch: int
    attempt: int
    failures: int
    lost: int
    entries: int
    updated: Instant
    started: Instant | None
    resumed: Instant | None
    ran_ms: int
    stop_by: Instant | None
    stop_outcome: str | None
    max_attempts: int
    ttl_ms: int | None
    max_duration_ms: int | None
    cursors: bytes | None
    waits: bytes | None
    deadlines: bytes | None
    saved: int | None
    base: int
    code: str | None


StateColumns: TypeAlias = tuple[str, int | None, str | None, str | None, bytes | None]
"""state, moment, worker, outcome, detail."""


class StoredWait(msgspec.Struct, frozen=True, array_like=True):
    """A durable wait without the names of its fields, since 10,000 runs may hold one each."""

    key: Key
    stream: StreamId | None
    deadline: Instant | None
    fingerprint: str
    line: str
    since: Instant
    recheck: Instant | None = None


class StoredBlock(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a run is blocked: its cause, and the gap where there is one."""

    message: str
    name: str = "Error"
    trace: str = ""
    gap: Gap | None = None


_ELSEWHERE = b"\0"
"""No JSON text begins so: the key of an output follows, and not the output."""
_pack = msgspec.msgpack.Encoder().encode
_cursors = msgspec.msgpack.Decoder(dict[StreamId, int]).decode
_deadlines = msgspec.msgpack.Decoder(dict[Key, Instant]).decode
_waits = msgspec.msgpack.Decoder(list[StoredWait]).decode
_cause = msgspec.msgpack.Decoder(Cause).decode
_block = msgspec.msgpack.Decoder(StoredBlock).decode


# --- a run as columns ----------------------------------------------------------------------------


def state_columns(state: State) -> StateColumns:
    """Return what is true in `state`."""
    match state:
        case Delayed(until=moment):
            return "delayed", moment, None, None, None
        case Queued(since=moment):
            return "queued", moment, None, None, None
        case Retrying(until=moment):
            return "retrying", moment, None, None, None
        case Running(worker=worker):
            return "running", None, worker, None, None
        case Waiting(worker=worker):
            return "waiting", None, worker, None, None
        case Blocked(cause=cause, gap=gap):
            stored = StoredBlock(cause.message, cause.name, cause.trace, gap)
            return "blocked", None, None, None, _pack(stored)
        case Over(outcome=outcome, at=moment):
            return "over", moment, None, *outcome_columns(outcome)
        case _:
            assert_never(state)


def outcome_columns(outcome: Outcome) -> tuple[str, bytes | None]:
    """Return the name of the outcome, and its detail."""
    match outcome:
        case Completed(output=output, stored=stored):
            return "completed", _ELSEWHERE + stored.encode() if stored else output
        case Failed(cause=cause):
            return "failed", _pack(cause)
        case Canceled():
            return "canceled", None
        case Crashed(cause=cause):
            return "crashed", _pack(cause)
        case Expired():
            return "expired", None
        case TimedOut():
            return "timed_out", None
        case _:
            assert_never(outcome)


def run_columns(run: Run, code: int | None) -> Row:
    """Return what `insert_run` and `update_run` take from the version on.

    `code` is the number of the version of the code.
    """
    stop = run.stop
    return (
        run.version,
        *state_columns(run.state),
        run.epoch,
        run.attempt,
        run.failures,
        run.lost,
        run.entries,
        run.updated,
        run.started,
        run.resumed,
        run.ran_ms,
        None if stop is None else stop.by,
        None if stop is None else outcome_columns(stop.outcome)[0],
        packed_cursors(run),
        packed_waits(run),
        _pack(run.deadlines) if run.deadlines else None,
        wait_due(run),
        run.saved,
        run.base,
        code,
    )


def limit_columns(run: Run) -> Row:
    """Return what `update_run` takes last."""
    return (run.limits.max_attempts, run.limits.max_duration_ms)


def packed_cursors(run: Run) -> bytes | None:
    """Return the column `cursors`."""
    return _pack(run.cursors) if run.cursors else None


def packed_waits(run: Run) -> bytes | None:
    """Return the column `waits`: those that are durable, in their order."""
    held = [
        StoredWait(w.key, w.stream, w.deadline, w.fingerprint, w.line, w.since, w.recheck)
        for w in run.waits
        if w.held
    ]
    return _pack(held) if held else None


def wait_due(run: Run) -> Instant | None:
    """Return when the first of the durable waits ends, or is to be looked at."""
    return min(moments(durable(run)), default=None)


def goes_on_in_place(before: Run, after: Run) -> bool:
    """Tell whether `update_run_in_place` writes all that differs."""
    return (
        (before.state is after.state or before.state == after.state)
        and before.epoch == after.epoch
        and before.attempt == after.attempt
        and before.failures == after.failures
        and before.started == after.started
        and before.resumed == after.resumed
        and before.ran_ms == after.ran_ms
        and before.stop == after.stop
        and (before.limits is after.limits or before.limits == after.limits)
        and before.deadlines == after.deadlines
        and before.saved == after.saved
        and before.base == after.base
        and wait_due(before) == wait_due(after)
    )


# --- a run from columns --------------------------------------------------------------------------


def run_from(columns: Row) -> Run:
    """Return the run that a row of `run_row` holds."""
    row = RunRow._make(columns)
    return Run(
        id=row.id,
        env=row.env,
        task=row.task,
        created=row.created,
        state=_state(row),
        limits=Limits(row.max_attempts, row.ttl_ms, row.max_duration_ms),
        version=row.version,
        epoch=row.epoch,
        attempt=row.attempt,
        failures=row.failures,
        lost=row.lost,
        entries=row.entries,
        cursors={} if row.cursors is None else _cursors(row.cursors),
        waits=() if row.waits is None else tuple(map(_wait, _waits(row.waits))),
        deadlines={} if row.deadlines is None else _deadlines(row.deadlines),
        stop=None if row.stop_by is None else Stop(row.stop_by, _stop_outcome(row.stop_outcome)),
        started=row.started,
        updated=row.updated,
        resumed=row.resumed,
        ran_ms=row.ran_ms,
        saved=row.saved,
        base=row.base,
        code=row.code or "",
    )


def _state(row: RunRow) -> State:
    moment, worker, detail = row.moment, row.worker, row.detail
    match row.state:
        case "delayed":
            return Delayed(moment)
        case "queued":
            return Queued(moment)
        case "retrying":
            return Retrying(moment)
        case "running" if worker is not None:
            return Running(worker)
        case "waiting":
            return Waiting(worker)
        case "blocked" if detail is not None:
            stored = _block(detail)
            return Blocked(Cause(stored.message, stored.name, stored.trace), stored.gap)
        case "over" if row.outcome is not None:
            return Over(_outcome(row.outcome, detail or b""), moment)
        case _:
            raise ValueError(f"no run is in the state {row.state}")


def _outcome(name: str, detail: bytes) -> Outcome:
    match name:
        case "completed":
            stored = detail.removeprefix(_ELSEWHERE)
            return Completed(detail) if stored == detail else Completed(b"", stored.decode())
        case "failed":
            return Failed(_cause(detail))
        case "canceled":
            return Canceled()
        case "crashed":
            return Crashed(_cause(detail))
        case "expired":
            return Expired()
        case "timed_out":
            return TimedOut()
        case _:
            raise ValueError(f"no run ends as {name}")


def _stop_outcome(name: str | None) -> Canceled | TimedOut:
    return Canceled() if name == "canceled" else TimedOut()


def _wait(stored: StoredWait) -> Wait:
    return Wait(
        key=stored.key,
        stream=stored.stream,
        deadline=stored.deadline,
        fingerprint=stored.fingerprint,
        line=stored.line,
        since=stored.since,
        recheck=stored.recheck,
    )
