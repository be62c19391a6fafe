"""The schema: its past makes its present, and changes while servers of both ages write."""

import asyncio
import re
import sys
from importlib import resources

import asyncpg
import pytest

from headrace.backends.postgres import open_postgres
from headrace.backends.postgres.migrations import SCRIPTS, migrate
from headrace.backends.postgres.queries import SQL
from headrace.errors import BadRequest, Mistake
from headrace.kernel import commands as c
from headrace.kernel.machine import decide
from headrace.kernel.model import Run, RunId
from headrace.ports import Filter, Order, Stores
from headrace.testing.contracts.given import (
    ENV,
    T0,
    TASK,
    WORKER,
    draft,
    executing,
    queued,
    remembered,
)
from tests.postgres.raw import raw, until, waiting

pytestmark = pytest.mark.timeout(60)
PARTS = (
    """
    SELECT 'column', format('%s.%s', c.relname, a.attname), format_type(a.atttypid, a.atttypmod),
        a.attnotnull::text, a.attidentity::text, a.attgenerated::text, c.reloptions::text,
        pg_get_expr(d.adbin, d.adrelid)
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
    LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'headrace'::regnamespace AND c.relkind = 'r'
    """,
    """
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'headrace'::regnamespace
    """,
    "SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'headrace'",
    "SELECT 'view', viewname, definition FROM pg_views WHERE schemaname = 'headrace'",
    "SELECT 'function', proname::text FROM pg_proc WHERE pronamespace = 'headrace'::regnamespace",
    "SELECT 'trigger', tgname::text FROM pg_trigger",
    "SELECT 'extension', extname::text FROM pg_extension WHERE extname <> 'plpgsql'",
)
MORE = """
    ALTER TABLE headrace.run ADD COLUMN colour text NOT NULL DEFAULT 'grey';
    ALTER TABLE headrace.entry ADD COLUMN colour text;
    CREATE TABLE headrace.more (a bigint PRIMARY KEY);
    CREATE OR REPLACE VIEW headrace.run_row AS
    SELECT
        run.no, run.id, task.env, task.id AS task, run.created, run.version,
        run.state, run.moment, run.worker, run.outcome, run.detail,
        run.epoch, run.attempt, run.failures, run.lost, run.entries,
        run.updated, run.started, run.resumed, run.ran_ms, run.stop_by, run.stop_outcome,
        run.max_attempts, run.ttl_ms, run.max_duration_ms,
        run.cursors, run.waits, run.deadlines,
        run.saved, run.base,
        (SELECT version FROM headrace.code WHERE code.no = run.code) AS code,
        run.colour
    FROM headrace.run JOIN headrace.task ON task.no = run.task;
"""


async def dump(dsn: str) -> list[tuple[str, ...]]:
    """Return everything in our schema but the ledger."""
    async with raw(dsn) as connection:
        rows = [tuple(map(str, row)) for sql in PARTS for row in await connection.fetch(sql)]
    return sorted(row for row in rows if "ledger" not in str(row))


async def test_the_present_is_all_migrations_together(fresh: str, other: str) -> None:
    async with open_postgres(fresh):
        pass
    schema = resources.files("headrace.backends.postgres").joinpath("schema.sql")
    async with raw(other) as connection:
        await connection.execute(
            "CREATE SCHEMA headrace; " + await asyncio.to_thread(schema.read_text)
        )
    migrated = await dump(fresh)
    assert migrated == await dump(other)
    assert len(migrated) > 150
    assert not [row for row in migrated if row[0] in {"function", "trigger", "extension"}]


async def test_servers_that_open_an_empty_database_at_once_all_do(fresh: str) -> None:
    async def opened() -> None:
        async with open_postgres(fresh) as stores:
            assert await stores.runs.load(RunId("nobody")) is None

    await asyncio.gather(*[opened() for _ in range(4)])
    async with raw(fresh) as connection:
        assert await connection.fetchval("SELECT version FROM headrace.ledger") == len(SCRIPTS)


async def test_of_servers_that_migrate_at_once_one_does(fresh: str) -> None:
    scripts = [
        *SCRIPTS,
        "CREATE TABLE headrace.more (a bigint)",
        "INSERT INTO headrace.more SELECT 1 FROM pg_sleep(0.1)",
    ]

    async def migrated() -> None:
        async with raw(fresh) as connection:
            await migrate(connection, scripts)

    await asyncio.gather(*[migrated() for _ in range(4)])
    async with raw(fresh) as connection:
        assert await connection.fetchval("SELECT count(*) FROM headrace.more") == 1


async def test_a_migration_that_fails_leaves_nothing(fresh: str) -> None:
    async with raw(fresh) as connection:
        broken = "CREATE TABLE headrace.more (a bigint); INSERT INTO headrace.nothing VALUES (1)"
        with pytest.raises(asyncpg.UndefinedTableError):
            await migrate(connection, [*SCRIPTS, broken])
        assert await connection.fetchval("SELECT version FROM headrace.ledger") == len(SCRIPTS)
        assert await connection.fetchval("SELECT to_regclass('headrace.more')") is None
        await migrate(connection, [*SCRIPTS, MORE])
        assert await connection.fetchval("SELECT version FROM headrace.ledger") == len(SCRIPTS) + 1


async def _lives(stores: Stores, name: str) -> None:
    """Let a run be created, claimed, go on, be found and end."""
    await stores.runs.create(queued(name), Order(tags=("a",), payload=b"1", key=name))
    claimed: list[Run] = []
    while not claimed:
        claimed += await stores.runs.claim(c.Claim(WORKER, "v"), ENV, [TASK], T0, 1)
    run = claimed[0]
    await stores.streams.append(draft(run, 0))
    change = remembered(run, "/a#0")
    await stores.runs.commit(change)
    assert await stores.runs.load(run.id) == change.after
    assert len(await stores.runs.journal(run.id)) == 1
    await stores.runs.commit(decide(change.after, c.Complete(run.epoch, b"1"), T0))
    assert await stores.runs.find(Filter(ENV, 1))


async def test_old_code_goes_on_while_the_schema_changes_and_after(fresh: str) -> None:
    async with open_postgres(fresh) as stores, raw(fresh) as connection:
        is_over = asyncio.Event()
        counts = [0, 0]

        async def lives(name: str) -> None:
            while not is_over.is_set() or counts[1] < 20:
                await _lives(stores, f"{name}-{sum(counts)}")
                counts[is_over.is_set()] += 1

        async with asyncio.TaskGroup() as group:
            for n in range(4):
                group.create_task(lives(f"run-{n}"))

            async def are_busy() -> bool:
                return counts[0] > 10

            await until(are_busy)
            await migrate(connection, [*SCRIPTS, MORE])
            is_over.set()
        assert await connection.fetchval("SELECT DISTINCT colour FROM headrace.run") == "grey"
    async with open_postgres(fresh) as again:  # old code that is started after the migration
        await _lives(again, "the last")


async def test_a_migration_lets_others_write_while_it_waits(fresh: str) -> None:
    async with open_postgres(fresh) as stores, raw(fresh) as idler, raw(fresh) as connection:
        run = await executing(stores)
        transaction = idler.transaction()
        await transaction.start()
        await idler.execute("SELECT 1 FROM headrace.run")  # and it never ends
        async with asyncio.TaskGroup() as group:
            migrating = group.create_task(migrate(connection, [*SCRIPTS, MORE]))
            await waiting(idler, 1)
            async with asyncio.timeout(5):
                await stores.runs.commit(remembered(run, "/a#0"))
            assert not migrating.done()
            await transaction.rollback()
        assert await idler.fetchval("SELECT version FROM headrace.ledger") == len(SCRIPTS) + 1


async def test_a_schema_that_is_too_new_is_refused_and_left_as_it_is(fresh: str) -> None:
    async with open_postgres(fresh):
        pass
    async with raw(fresh) as connection:
        await connection.execute("UPDATE headrace.ledger SET version = 99, least = 98")
        with pytest.raises(Mistake, match=r"newer headrace \(its schema is 99") as refused:
            async with open_postgres(fresh):
                pass
        assert "Upgrade" in refused.value.hint
        assert await connection.fetchval("SELECT version FROM headrace.ledger") == 99


async def test_who_must_not_migrate_says_who_does(fresh: str) -> None:
    with pytest.raises(Mistake, match="headrace needs") as refused:
        async with open_postgres(fresh, migrating=False):
            pass
    assert "headrace db migrate" in refused.value.hint
    async with raw(fresh) as connection:
        assert await connection.fetchval("SELECT to_regnamespace('headrace')") is None
    async with open_postgres(fresh):
        pass
    async with open_postgres(fresh, migrating=False) as stores:
        await executing(stores)


CHECKED = [
    "UPDATE headrace.run SET state = 'asleep'",
    "UPDATE headrace.run SET worker = NULL",
    "UPDATE headrace.run SET attempt = failures + 2",
    "UPDATE headrace.run SET saved = entries + 1",
    "UPDATE headrace.run SET state = 'over', outcome = NULL, worker = NULL, resumed = NULL",
    "INSERT INTO headrace.record VALUES (1, 1, -1, '', 0, NULL, NULL, 0)",
    "INSERT INTO headrace.record VALUES (1, 1, 0, '', 0, '', NULL, 0)",
    "INSERT INTO headrace.record VALUES (1, 1, 0, '12', 0, NULL, NULL, 1)",
    "INSERT INTO headrace.entry VALUES (1, 'k', 0, 'dream', 'value', '', 0, '', '', NULL, -1)",
]


@pytest.mark.parametrize("sql", CHECKED)
async def test_what_breaks_a_law_is_refused(stores: Stores, database: str, sql: str) -> None:
    await executing(stores)
    async with raw(database) as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(sql)


# --- rules of the statements -------------------------------------------------------------------

_CHANGES = re.compile(r"(?:INSERT INTO|DELETE FROM|UPDATE) (headrace\.\w+)")


def test_every_table_is_named_with_its_schema() -> None:
    tables = set(_CHANGES.findall(" ".join(SQL.values())))
    assert len(tables) > 20
    for name, sql in SQL.items():
        for table in (table.removeprefix("headrace.") for table in tables):
            loose = rf"(?:FROM|JOIN|INTO|UPDATE) {table}\b"
            assert not re.search(loose, sql) or f"AS {table}" in sql or f"{table} AS" in sql, name


def test_no_statement_changes_a_table_twice() -> None:
    for name, sql in SQL.items():
        changed = _CHANGES.findall(sql.replace("DO UPDATE", ""))
        assert len(changed) == len(set(changed)), name


def test_no_statement_takes_the_columns_as_they_come() -> None:
    for name, sql in SQL.items():
        for star in re.findall(r"(\w+)\.\*", sql):
            assert star in {"change", "run"}, name  # of an array, and of what is named after it
    assert "count" in SQL["select_use"]


async def test_a_text_that_cannot_be_kept_is_refused(stores: Stores) -> None:
    for name in ("nul\0", "half \ud83d"):
        with pytest.raises(BadRequest) as told:
            await stores.runs.create(queued(name), Order())
        assert "U+0000" in told.value.hint


async def test_without_the_driver_it_is_said_what_to_install() -> None:
    code = "import sys; sys.modules['asyncpg'] = None; import headrace.backends.postgres"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode != 0
    assert b"pip install 'headrace[postgres]'" in said
