"""What stands in the stores when a campaign is over, as the judge reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias

import msgspec

from headrace.kernel.model import Entry, Over, Record, Run, RunId, StreamId, inward
from headrace.ports import Stores
from tests.chaos.workload import digest
from tests.history import events as e

PAGE: Final = 1_000


Opening: TypeAlias = AbstractAsyncContextManager[Stores]


def endings(opening: Opening, runs: list[str], streams: Sequence[str]) -> list[e.Event]:
    """Read the logs and journals of the runs."""
    return asyncio.run(_endings(opening, runs, streams))


async def _endings(opening: Opening, runs: list[str], streams: Sequence[str]) -> list[e.Event]:
    found: list[e.Event] = []
    async with opening as stores:
        for run_id in runs:
            run = await stores.runs.load(RunId(run_id))
            assert run is not None
            assert run.base == 0, "the judge needs the whole journal"
            journal = await stores.runs.journal(run.id)
            found += [_final(run, journal, stores.clock.now()), *_marks(run, journal)]
            found += [await _log(stores, run, inward(name)) for name in streams]
    return found


def _final(run: Run, journal: Sequence[Entry], now_ms: int) -> e.FinalRun:
    return e.FinalRun(
        at=e.instant(),
        run=run.id,
        now_ms=now_ms,
        over=type(run.state.outcome).__name__ if isinstance(run.state, Over) else "",
        answers=tuple(_answer(entry) for entry in journal if entry.kind in {"take", "timer"}),
        parked=tuple(
            e.Parked(key=wait.key, stream=(wait.stream or "")[1:], deadline_ms=wait.deadline)
            for wait in run.waits
        ),
    )


def _answer(entry: Entry) -> e.Answer:
    return e.Answer(
        n=entry.n,
        key=entry.key,
        at_ms=entry.at,
        ending=entry.ending,
        stream=(entry.stream or "")[1:],
        seq=entry.seq,
        digest=_digest(entry.body) if entry.seq >= 0 else "",
        deadline_ms=entry.deadline,
    )


def _digest(body: bytes) -> str:
    return digest(msgspec.json.decode(body, type=str))


def _marks(run: Run, journal: Sequence[Entry]) -> list[e.Event]:
    """Return who wrote what: the marks hold the birth of the life that ran the step."""
    return [
        e.Commit(at=e.instant(), run=run.id, n=entry.n, epoch=int(entry.body))
        for entry in journal
        if entry.kind == "step"
    ]


async def _log(stores: Stores, run: Run, stream: StreamId) -> e.FinalLog:
    records: list[Record] = []
    while page := await stores.streams.read(run.id, stream, len(records), PAGE):
        records += page
    return e.FinalLog(
        at=e.instant(),
        run=run.id,
        stream=stream[1:],
        records=tuple(e.Stored(one.seq, _digest(one.body), one.key.hex()) for one in records),
        cursor=run.cursors.get(stream, 0),
    )
