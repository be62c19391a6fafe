"""Runs, their orders and journals, in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from headrace.backends.postgres.creating import Creation, Freed, creation
from headrace.backends.postgres.database import Database
from headrace.backends.postgres.landing import Landing, landing
from headrace.backends.postgres.lanes import Lane
from headrace.backends.postgres.lookups import Lookups
from headrace.backends.postgres.queries import SQL
from headrace.backends.rows.footings import footing_from
from headrace.backends.rows.orders import find_values, order_from, taken_keys
from headrace.backends.rows.records import entry_from
from headrace.backends.rows.runs import run_from
from headrace.kernel.commands import Change, Claim
from headrace.kernel.model import Entry, EnvId, Footing, Instant, Run, RunId, TaskId, WorkerId
from headrace.ports import Created, Filter, Order, Ticket

FEW: Final = 50
"""Entries that are read along with what others read."""


@dataclass(frozen=True, slots=True)
class RunLooks:
    """What is looked up so often that it is asked in groups."""

    runs: Lookups
    orders: Lookups
    entries: Lookups


class PostgresRuns:
    """The `Runs` port."""

    def __init__(
        self,
        database: Database,
        creations: Lane[Creation],
        landings: Lane[Landing],
        looks: RunLooks,
    ) -> None:
        self._database, self._creations, self._landings = database, creations, landings
        self._looks = looks
        self._tasks: dict[tuple[EnvId, TaskId], int] = {}
        self._codes: dict[str, int] = {}

    async def create(
        self, run: Run, order: Order, *, free: RunId | None = None, ticket: Ticket | None = None
    ) -> Created:
        """Add a run, unless its id or one of the order's keys is taken."""
        given = None if free is None else await self.order(free)
        freed = None
        if free is not None and given is not None:
            # Where it was put off, it has keys that its own order does not name.
            freed = Freed(free, [*taken_keys(given), *taken_keys(order)])
        write = creation(run, order, ticket=ticket, freed=freed)
        await self._creations.write(write)
        return write.answer.result()

    async def load(self, run_id: RunId) -> Run | None:
        """Return the run, without the waits that live in memory only."""
        found = await self._looks.runs.rows(run_id)
        return run_from(found[0]) if found else None

    async def order(self, run_id: RunId, *, most: int | None = None) -> Order | None:
        """Return what the run was started with; a payload of more than `most` bytes is left out."""
        found = await self._looks.orders.rows(run_id, most)
        return order_from(found[0]) if found else None

    async def commit(self, change: Change) -> None:
        """Apply `change` whole, or raise and leave everything as it was."""
        await self._landings.write(landing(change))

    async def claim(
        self, command: Claim, env: EnvId, tasks: Sequence[TaskId], now: Instant, limit: int
    ) -> Sequence[Run]:
        """Apply `command` to up to `limit` ready runs of these tasks, oldest first."""
        numbers = await self._task_numbers(env, sorted(set(tasks)))
        if not numbers:
            return []
        code = await self._code(command.version)
        values = (numbers, now, limit, command.worker, code)
        return [run_from(row) for row in await self._database.run(SQL["claim_runs"], values)]

    async def _task_numbers(self, env: EnvId, tasks: Sequence[TaskId]) -> list[int]:
        if any((env, task) not in self._tasks for task in tasks):
            found = await self._database.rows(SQL["select_task_numbers"], (env, tasks))
            for task, number in cast("list[tuple[TaskId, int]]", found):
                self._tasks[env, task] = number
        return [self._tasks[env, task] for task in tasks if (env, task) in self._tasks]

    async def _code(self, version: str) -> int | None:
        while version and version not in self._codes:
            for _, number in await self._database.run(SQL["number_codes"], ([version],)):
                self._codes[version] = cast("int", number)
        return self._codes.get(version)

    async def journal(self, run_id: RunId, start: int = 0) -> Sequence[Entry]:
        """Return the entries numbered `start` and above, in order."""
        found = await self._looks.entries.rows(run_id, start, FEW + 1)
        if len(found) > FEW:
            found = await self._looks.entries.rows(run_id, start, None, is_long=True)
        return [entry_from(row) for row in found]

    async def due(self, now: Instant, limit: int) -> Sequence[tuple[Instant, RunId]]:
        """List runs whose `machine.due` is at or before `now`, earliest first."""
        found = await self._database.rows(SQL["select_due"], (now, limit))
        return [(moment, run_id) for moment, run_id in cast("list[tuple[Instant, RunId]]", found)]

    async def held(self, worker: WorkerId) -> Sequence[RunId]:
        """List the runs that `worker` holds, running or warm."""
        found = await self._database.rows(SQL["select_held"], (worker,))
        return [cast("RunId", run_id) for (run_id,) in found]

    async def find(self, query: Filter) -> Sequence[Run]:
        """List runs of an environment."""
        upwards = query.before is not None and query.after is None
        sql = SQL["find_before" if upwards else "find_newest"]
        runs = [run_from(row) for row in await self._database.rows(sql, find_values(query))]
        return runs[::-1] if upwards else runs

    async def metadata(self, run_id: RunId, value: bytes | None = None) -> bytes:
        """Set the run's metadata if given; return it."""
        if value is None:
            found = await self._database.rows(SQL["select_metadata"], (run_id,))
        else:
            found = await self._database.run(SQL["upsert_metadata"], (run_id, value))
        return cast("bytes", found[0][0]) if found else b""


class PostgresSnapshots:
    """The `Snapshots` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, run_id: RunId, saved: int) -> bytes | None:
        """Return the run's snapshot, if it is the one that was taken at entry number `saved`."""
        found = await self._database.rows(SQL["select_snapshot"], (run_id, saved))
        return cast("bytes", found[0][0]) if found else None

    async def footing(self, run_id: RunId, saved: int) -> Footing | None:
        """Return what that snapshot stands on, if its worker has said so."""
        found = await self._database.rows(SQL["select_footing"], (run_id, saved))
        return footing_from(cast("str", found[0][0])) if found else None
