"""What a run looks like from outside."""

from __future__ import annotations

from typing import TypedDict

from msgspec import UNSET, Raw, UnsetType

from headrace.engine.core import Core
from headrace.engine.ids import unknown_run
from headrace.kernel.model import (
    Blocked,
    Cause,
    Completed,
    Crashed,
    Delayed,
    EnvId,
    Expired,
    Failed,
    Gap,
    Instant,
    Over,
    Retrying,
    Run,
    RunId,
    Wait,
    is_inward,
    waitpoint_of,
)
from headrace.ports import Order
from headrace.wire import packets
from headrace.wire.durations import iso
from headrace.wire.statuses import flags_of, status_of
from headrace.wire.views import Acceptance, ErrorView, Large, RelatedRuns, RunView, WaitView


async def find_run(core: Core, env: EnvId, run_id: str) -> Run:
    """Return the run, or raise `NotFound`."""
    run = await core.stores.runs.load(RunId(run_id))
    if run is None or run.env != env:
        raise unknown_run(run_id)
    return run


async def show(core: Core, run: Run) -> RunView:
    """Read what belongs to the run, and show it."""
    order = await core.stores.runs.order(run.id, most=packets.INLINE) or Order()
    metadata = await core.stores.runs.metadata(run.id)
    unread = await _unread(core, run)
    return _view(run, order, metadata, unread, core.now())


async def _unread(core: Core, run: Run) -> dict[str, int]:
    """Count what the run has not taken, per input stream."""
    ends = await core.stores.streams.ends(run.id)
    left = {s: end.tail - run.cursors.get(s, 0) for s, end in ends.items() if is_inward(s)}
    return {stream[1:]: count for stream, count in left.items() if count > 0}


def _view(run: Run, order: Order, metadata: bytes, unread: dict[str, int], now: Instant) -> RunView:
    state, status = run.state, status_of(run.state)
    flags = flags_of(status)
    return RunView(
        id=run.id,
        task_identifier=run.task,
        status=status,
        is_queued=flags.is_queued,
        is_executing=flags.is_executing,
        is_waiting=flags.is_waiting,
        is_completed=flags.is_completed,
        is_success=flags.is_success,
        is_failed=flags.is_failed,
        is_cancelled=flags.is_cancelled,
        is_test=order.test,
        created_at=iso(run.created),
        updated_at=iso(run.updated),
        tags=sorted(order.tags),
        cost_in_cents=0.0,
        base_cost_in_cents=0.0,
        duration_ms=run.ran_ms + (now - run.resumed if run.resumed is not None else 0),
        depth=0 if order.parent is None else 1,
        trigger_function="trigger",
        attempt_count=run.attempt,
        related_runs=RelatedRuns(),
        waits=[_wait(wait) for wait in run.waits],
        unread=unread,
        idempotency_key=order.named or order.key or UNSET,
        version=run.code or UNSET,
        **_moments(run),
        ttl=order.ttl or UNSET,
        metadata=_raw(metadata),
        payload=_raw(order.payload),
        output=_output(run),
        error=_error(run),
        blocked=state.cause.message if isinstance(state, Blocked) else UNSET,
        acceptable=_acceptable(run),
        large=large_of(run, order),
    )


def large_of(run: Run, order: Order) -> tuple[Large, ...]:
    """Return what of the run is left out where it is shown."""
    payload: tuple[Large, ...] = ("payload",) if order.is_large else ()
    match run.state:
        case Over(outcome=Completed(stored=str(stored))) if stored:
            return (*payload, "output")
        case _:
            return payload


class _Moments(TypedDict):
    started_at: str | UnsetType
    finished_at: str | UnsetType
    delayed_until: str | UnsetType
    retrying_until: str | UnsetType
    expired_at: str | UnsetType


def _moments(run: Run) -> _Moments:
    state = run.state
    return _Moments(
        started_at=_when(run.started),
        finished_at=iso(state.at) if isinstance(state, Over) else UNSET,
        delayed_until=iso(state.until) if isinstance(state, Delayed) else UNSET,
        retrying_until=iso(state.until) if isinstance(state, Retrying) else UNSET,
        expired_at=_expired_at(run),
    )


def _when(moment: Instant | None) -> str | UnsetType:
    return UNSET if moment is None else iso(moment)


def _raw(text: bytes) -> Raw | UnsetType:
    return Raw(text) if text else UNSET


def _expired_at(run: Run) -> str | UnsetType:
    match run.state:
        case Over(outcome=Expired(), at=at):
            return iso(at)
        case _:
            return UNSET


def _output(run: Run) -> Raw | UnsetType:
    match run.state:
        case Over(outcome=Completed(output=output)):
            return _raw(output)
        case _:
            return UNSET


def _error(run: Run) -> ErrorView | UnsetType:
    match run.state:
        case Over(outcome=Failed(cause=cause) | Crashed(cause=cause)):
            return _shown(cause)
        case _:
            return UNSET


def _acceptable(run: Run) -> Acceptance | UnsetType:
    match run.state:
        case Blocked(gap=Gap(owed=owed, asked=asked)) if not run.base:
            return Acceptance(skip=(owed,), insert=asked)
        case _:
            return UNSET


def _shown(cause: Cause) -> ErrorView:
    trace = cause.trace or UNSET
    return ErrorView(message=cause.message, name=cause.name, stack_trace=trace)


def _wait(wait: Wait) -> WaitView:
    token = waitpoint_of(wait.stream)
    return WaitView(
        key=wait.key,
        since=iso(wait.since),
        stream=UNSET if wait.stream is None or token is not None else wait.stream[1:],
        token=token or UNSET,
        until=_when(wait.deadline),
        line=wait.line or UNSET,
    )
