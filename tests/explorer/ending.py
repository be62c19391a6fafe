"""What stands in the tables when a play is over, as the judge reads it."""

from __future__ import annotations

from headrace.kernel.model import Entry, Over, Run, RunId, StreamId
from tests.explorer.stage import Stage
from tests.history import events as e


def final(stage: Stage, run_id: RunId, *, but: str = "") -> list[e.Event]:
    """Return the last events of a history: the logs and the journal of the run.

    Stream `but` is no part of it.
    """
    run, tables = stage.tables.runs[run_id], stage.tables
    whole = (*stage.dropped, *tables.journals[run_id])
    logs = [_log(stage, run, one) for one in tables.records[run_id] if one[1:] != but]
    over = type(run.state.outcome).__name__ if isinstance(run.state, Over) else ""
    parked = (_parked(key, stream, until) for key, stream, until in _waits(run))
    end = e.FinalRun(
        at=stage.steps,
        run=run_id,
        now_ms=stage.now,
        over=over,
        answers=tuple(_answer(one) for one in whole if _is_answer(one)),
        parked=tuple(parked),
    )
    return [*logs, end]


def _log(stage: Stage, run: Run, stream: StreamId) -> e.FinalLog:
    records = stage.tables.records[run.id][stream]
    return e.FinalLog(
        at=stage.steps,
        run=run.id,
        stream=stream[1:],
        records=tuple(e.Stored(r.seq, r.body.decode(), r.key.hex()) for r in records),
        cursor=run.cursors.get(stream, 0),
    )


def _is_answer(entry: Entry) -> bool:
    return entry.kind in {"take", "timer"}


def _answer(entry: Entry) -> e.Answer:
    return e.Answer(
        n=entry.n,
        key=entry.key,
        at_ms=entry.at,
        ending=entry.ending,
        stream=(entry.stream or "")[1:],
        seq=entry.seq,
        digest=entry.body.decode(),
        deadline_ms=entry.deadline,
    )


def _waits(run: Run) -> list[tuple[str, str, int | None]]:
    return [(wait.key, (wait.stream or "")[1:], wait.deadline) for wait in run.waits]


def _parked(key: str, stream: str, until: int | None) -> e.Parked:
    return e.Parked(key=key, stream=stream, deadline_ms=until)
