"""Changes of runs with the records that lead to them: how a group of them becomes one statement.

Owns: what of a change stands in which array; what has to be done before and after.
Must never know: queues, and who asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from headrace.backends.postgres.clock import HeardClock
from headrace.backends.postgres.database import Connection, fetched
from headrace.backends.postgres.lanes import Unlanded, Write
from headrace.backends.postgres.names import Footings, Names
from headrace.backends.postgres.queries import SQL
from headrace.backends.rows.footings import footing_text
from headrace.backends.rows.records import entry_values
from headrace.backends.rows.runs import limit_columns, run_columns
from headrace.errors import NotFound
from headrace.kernel.commands import Change
from headrace.kernel.effects import lasting, stored_output
from headrace.kernel.model import Delayed, Run, RunId, StreamId, WaitpointId, waitpoint_of
from headrace.ports import Clash, Conflict, Draft

CHANGE_COLUMNS: Final = 27
ENTRY_COLUMNS: Final = 12
DRAFT_COLUMNS: Final = 9
SNAPSHOT_COLUMNS: Final = 3


@dataclass(slots=True, eq=False)
class Landing(Write[None]):
    """A change, and records to append in the same transaction."""

    change: Change = field(kw_only=True)
    drafts: Sequence[Draft] = field(default=(), kw_only=True)

    def taken(self) -> Exception | None:
        """Say that an answer, a key or a number was there already."""
        return Clash()

    @property
    def guards(self) -> dict[RunId, int | None]:
        """Return the runs that have to be there, and at which version."""
        guards: dict[RunId, int | None] = dict.fromkeys(draft.run_id for draft in self.drafts)
        guards[self.change.before.id] = self.change.before.version
        return guards


def landing(change: Change, drafts: Sequence[Draft] = ()) -> Landing:
    """Return the write that applies `change` and appends `drafts`."""
    runs = {change.before.id, *(draft.run_id for draft in drafts)}
    bodies = [draft.body for draft in drafts] + [entry.body for entry in change.entries]
    weight = sum(map(len, bodies)) + len(change.saved or b"")
    return Landing(frozenset(runs), weight, change=change, drafts=drafts)


class Lander:
    """Lands groups; see `lanes.Lane`."""

    def __init__(self, clock: HeardClock) -> None:
        self._clock = clock
        self._streams, self._codes = Names("number_streams"), Names("number_codes")
        self._footings = Footings("number_footings")

    async def __call__(self, connection: Connection, group: Sequence[Landing]) -> None:
        """Land what can be; the others get their failures, and have changed nothing."""
        await self._learn(connection, group)
        beside = _Beside(group)
        if not beside:
            await self._land(connection, group)
            return
        async with connection.transaction(isolation="read_committed"):
            await beside.before(connection)
            await self._land(connection, group)
            if any(write.failure for write in group):
                raise Unlanded
            await beside.after(connection)

    async def _learn(self, connection: Connection, group: Sequence[Landing]) -> None:
        streams = {(draft.stream,) for write in group for draft in write.drafts}
        codes = {(write.change.after.code,) for write in group if write.change.after.code}
        texts = (footing_text(write.change.footing) for write in group)
        await self._streams.learn(connection, streams)
        await self._codes.learn(connection, codes)
        await self._footings.learn(connection, {(text,) for text in texts if text})

    async def _land(self, connection: Connection, group: Sequence[Landing]) -> None:
        wanted = [guard for write in group for guard in write.guards.items()]
        places = {run_id: place for place, (run_id, _) in enumerate(wanted, 1)}
        values = (
            [run_id for run_id, _ in wanted],
            [version for _, version in wanted],
            *_columns(CHANGE_COLUMNS, self._changes(group, places)),
            *_columns(ENTRY_COLUMNS, _entries(group, places)),
            *_columns(DRAFT_COLUMNS, self._drafts(group, places)),
            *_columns(SNAPSHOT_COLUMNS, self._snapshots(group, places)),
            [places[write.change.before.id] for write in group if _begins(write.change)],
        )
        rows = cast("list[tuple[int, int]]", await fetched(connection, SQL["land"], values))
        if rows:
            self._clock.hear(rows[0][1])
        passed = {place for place, _ in rows}
        for write in group:
            missing = [run_id for run_id in write.guards if places[run_id] not in passed]
            if write.change.before.id in missing:
                write.failure = Conflict()
            elif missing:
                write.failure = NotFound(f"there is no run {missing[0]}")

    def _changes(
        self, group: Sequence[Landing], places: dict[RunId, int]
    ) -> Iterable[Sequence[object]]:
        for write in group:
            after = write.change.after
            if lasting(write.change):
                code = self._codes[(after.code,)] if after.code else None
                yield places[after.id], *run_columns(after, code), *limit_columns(after)

    def _drafts(
        self, group: Sequence[Landing], places: dict[RunId, int]
    ) -> Iterable[Sequence[object]]:
        for write in group:
            chains: dict[tuple[RunId, StreamId], tuple[int, int]] = {}
            for draft in write.drafts:
                chain = (draft.run_id, draft.stream)
                start, upto = chains.get(chain, (draft.seq, 0))
                upto += len(draft.body)
                chains[chain] = start, upto
                stream = self._streams[(draft.stream,)]
                key, digest = draft.key or None, draft.digest or None
                place, body = places[draft.run_id], draft.body
                yield place, stream, draft.seq, body, draft.at, key, digest, start, upto

    def _snapshots(
        self, group: Sequence[Landing], places: dict[RunId, int]
    ) -> Iterable[Sequence[object]]:
        for write in group:
            change = write.change
            if change.saved is not None:
                text = footing_text(change.footing)
                footing = self._footings[(text,)] if text else None
                yield places[change.after.id], change.saved, footing


def _begins(change: Change) -> bool:
    """Tell whether the run is delayed no more: who comes now under its key starts another."""
    return isinstance(change.before.state, Delayed) and not isinstance(change.after.state, Delayed)


def has_gap(drafts: Sequence[Draft]) -> bool:
    """Tell whether the numbers of a stream do not follow on each other."""
    last: dict[tuple[RunId, StreamId], int] = {}
    for draft in drafts:
        chain = (draft.run_id, draft.stream)
        if last.get(chain, draft.seq - 1) != draft.seq - 1:
            return True
        last[chain] = draft.seq
    return False


def _entries(group: Sequence[Landing], places: dict[RunId, int]) -> Iterable[Sequence[object]]:
    for write in group:
        place = places[write.change.before.id]
        for entry in write.change.entries:
            yield entry_values(place, entry)


def _columns(width: int, rows: Iterable[Sequence[object]]) -> list[Sequence[object]]:
    """Turn rows into columns; of no rows there are `width` empty ones."""
    columns: list[Sequence[object]] = list(zip(*rows, strict=True))
    return columns or [()] * width


class _Beside:
    """What few changes need: statements of their own, before and after, in one transaction."""

    def __init__(self, group: Sequence[Landing]) -> None:
        self._group = group
        self._undone = list[tuple[RunId, int]]()
        self._dropped = list[tuple[RunId, int]]()
        self._ended, self._whole = list[RunId](), False
        self._waiting = set[tuple[WaitpointId, RunId]]()
        self._left = set[tuple[WaitpointId, RunId]]()
        self._late: dict[WaitpointId, list[Landing]] = {}
        self._outputs: dict[str, Landing] = {}
        for write in group:
            self._add(write)

    def __bool__(self) -> bool:
        """Tell whether there is anything."""
        return bool(
            self._whole
            or self._undone
            or self._dropped
            or self._ended
            or self._waiting
            or self._left
            or self._late
            or self._outputs
        )

    def _add(self, write: Landing) -> None:
        change, run_id = write.change, write.change.before.id
        if len(write.guards) > 1:  # records of other runs land or fail with it
            self._whole = True
        if change.undone is not None:
            self._undone.append((run_id, change.undone))
        if change.dropped is not None:
            self._dropped.append((run_id, change.dropped))
        had = change.before.saved is not None or change.saved is not None
        if had and change.after.saved is None:
            self._ended.append(run_id)
        if output := stored_output(change):
            self._outputs[output] = write
        self._add_waits(write)

    def _add_waits(self, write: Landing) -> None:
        change, run_id = write.change, write.change.before.id
        for entry in change.entries:
            waitpoint = waitpoint_of(entry.stream)
            if waitpoint is not None and entry.ending == "timeout":
                self._late.setdefault(waitpoint, []).append(write)
        if change.before.waits is not change.after.waits:
            before, after = _awaited(change.before), _awaited(change.after)
            self._waiting |= {(waitpoint, run_id) for waitpoint in after - before}
            self._left |= {(waitpoint, run_id) for waitpoint in before - after}

    async def before(self, connection: Connection) -> None:
        """Hold waitpoints, since what has its value does not time out; make room for entries."""
        held = {waitpoint for waitpoint, _ in self._waiting | self._left} | self._late.keys()
        if held:
            rows = await fetched(connection, SQL["lock_waitpoints"], (sorted(held),))
            completed = {waitpoint for waitpoint, is_completed in rows if is_completed}
            for waitpoint in completed & self._late.keys():
                for write in self._late[cast("WaitpointId", waitpoint)]:
                    write.failure = Conflict()
        await self._keep(connection)
        if any(write.failure for write in self._group):
            raise Unlanded
        await _each(connection, "delete_entries", self._undone)

    async def _keep(self, connection: Connection) -> None:
        """Let the outputs stay that lie beside their runs; they have to be there."""
        if self._outputs:
            rows = await fetched(connection, SQL["keep_blobs"], (sorted(self._outputs),))
            for missing in self._outputs.keys() - {cast("str", key) for (key,) in rows}:
                self._outputs[missing].failure = Conflict()

    async def after(self, connection: Connection) -> None:
        """Remove what is over, and note who waits."""
        await _each(connection, "drop_entries", self._dropped)
        if self._ended:
            await fetched(connection, SQL["delete_snapshots"], (self._ended,))
        await _each(connection, "insert_waiters", sorted(self._waiting))
        await _each(connection, "delete_waiters", sorted(self._left))


async def _each(connection: Connection, query: str, rows: Sequence[tuple[object, object]]) -> None:
    if rows:
        await fetched(connection, SQL[query], _columns(2, rows))


def _awaited(run: Run) -> set[WaitpointId]:
    found = (waitpoint_of(wait.stream) for wait in run.waits if wait.held)
    return {waitpoint for waitpoint in found if waitpoint is not None}
