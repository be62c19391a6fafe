"""What every commit of every schedule must obey, whatever comes of it: laws 3, 5 and 8.

Owns: the judgement of one change, looked at just after it has landed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.backends.memory.tables import Tables
from headrace.kernel.commands import Change
from headrace.kernel.model import Entry, Instant, Over, StreamId, WaitpointId, waitpoint_of
from headrace.ports import Draft

NOWHERE = StreamId("")
NOBODY = WaitpointId("")


def breaches(
    tables: Tables,
    change: Change,
    now: Instant,
    *,
    atomic: bool,
    drafts: Sequence[Draft] = (),
) -> list[str]:
    """Say what is wrong with a change that landed together with `drafts`.

    `atomic`: every record lands together with its offer.
    """
    return [
        *_stopping_takes_nothing(change),
        *_takes_are_the_log(tables, change),
        *(fault for entry in change.entries for fault in _token(tables, entry)),
        *_snapshots_fit(tables, change),
        *(fault for entry in change.entries for fault in _timer(entry, now)),
        *(_overslept(tables, change, drafts) if atomic else ()),
    ]


def stuck(tables: Tables) -> Iterator[str]:
    """Say which durable waits stand though there is a record for them and nobody moves (law 4)."""
    for run in tables.runs.values():
        for wait in run.waits:
            token = tables.waitpoints.get(waitpoint_of(wait.stream) or NOBODY)
            if run.stop is None and token is not None and token.completed is not None:
                yield f"{wait.key} stands, and the token has its value"
            log = tables.records[run.id].get(wait.stream, []) if wait.stream else []
            if run.stop is None and len(log) > run.cursors.get(wait.stream or NOWHERE, 0):
                yield f"{wait.key} stands, and record {log[-1].seq} is in the log"


def _stopping_takes_nothing(change: Change) -> Iterator[str]:
    if change.before.stop is None and not isinstance(change.before.state, Over):
        return
    for entry in change.entries:
        if entry.kind in {"take", "timer"} and entry.ending in {"value", "timeout"}:
            yield f"{entry.key} was answered after the run had been told to stop"


def _takes_are_the_log(tables: Tables, change: Change) -> Iterator[str]:
    cursors = dict(change.before.cursors)
    for entry in change.entries:
        if entry.stream is None or entry.ending != "value" or waitpoint_of(entry.stream):
            continue
        cursor = cursors.get(entry.stream, 0)
        log = tables.records[change.before.id].get(entry.stream, [])
        if entry.seq != cursor or cursor >= len(log) or log[cursor].body != entry.body:
            yield f"{entry.key} took {entry.seq}, and not what stands at the cursor, {cursor}"
        cursors[entry.stream] = cursor + 1
    if cursors != dict(change.after.cursors):
        yield f"the cursors are {dict(change.after.cursors)}, the takes lead to {cursors}"


def _token(tables: Tables, entry: Entry) -> Iterator[str]:
    """What is taken of a token is its one value; a timeout comes before there is one."""
    waitpoint = waitpoint_of(entry.stream)
    if waitpoint is None:
        return
    token = tables.waitpoints[waitpoint]
    if entry.ending == "value" and (entry.seq, entry.body) != (0, token.output):
        yield f"{entry.key} took {entry.body!r}, and the token has {token.output!r}"
    if entry.ending == "timeout" and token.completed is not None:
        yield f"{entry.key} timed out, and the token had its value"


def _snapshots_fit(tables: Tables, change: Change) -> Iterator[str]:
    """The snapshot is there if the run says so, and what came after it is all in the journal."""
    run = tables.runs[change.before.id]
    if (run.saved is not None) != (run.id in tables.snapshots):
        yield f"saved at {run.saved}, but of snapshots there are {len(tables.snapshots)}"
    numbers = [entry.n for entry in tables.journals[run.id]]
    if numbers != list(range(run.base, run.entries)):
        yield f"the journal holds {numbers}, from {run.base} to {run.entries} were remembered"


def _timer(entry: Entry, now: Instant) -> Iterator[str]:
    fired = entry.ending == "timeout" or entry.kind == "timer"
    if fired and entry.ending != "cancelled" and (entry.deadline is None or entry.deadline > now):
        yield f"{entry.key} fired at {now}, before its deadline, {entry.deadline}"


def _overslept(tables: Tables, change: Change, drafts: Sequence[Draft]) -> Iterator[str]:
    for entry in change.entries:
        if entry.ending == "timeout" and entry.stream is not None:
            log = tables.records[change.before.id].get(entry.stream, [])
            new = sum(draft.stream == entry.stream for draft in drafts)
            if len(log) - new > change.after.cursors.get(entry.stream, 0):
                yield f"{entry.key} timed out, and a record stood in the log"
