"""The schema: its past makes its present, its CHECKs are the laws, other files are left alone."""

import asyncio
import re
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from importlib import resources
from pathlib import Path

import apsw
import msgspec
import pytest

from headrace.backends.sqlite import Settings, open_sqlite
from headrace.backends.sqlite.database import Database
from headrace.backends.sqlite.migrations import load, migrate
from headrace.backends.sqlite.queries import SQL, statements
from headrace.errors import Mistake, Unavailable
from headrace.kernel import commands as c
from headrace.kernel.journal import skipping
from headrace.kernel.machine import decide
from headrace.kernel.model import Blocked, Cause, Queued, RunId, Waiting
from headrace.ports import Order
from headrace.testing.contracts.given import T0, WORKER, executing, queued, saved
from tests.sqlite.raw import Raw, raw

SMALL = Settings(wal_pages=10)


def package() -> Path:
    with resources.as_file(resources.files("headrace.backends.sqlite")) as path:
        return path


def dump(db: Raw) -> list[tuple[str, ...]]:
    """Return everything in the schema, without comments and layout."""
    sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"
    return [(*map(str, row[:3]), _plain(str(row[3]))) for row in db.execute(sql).fetchall()]


def _plain(sql: str) -> str:
    words = " ".join(re.sub(r"--[^\n]*", "", sql).split())
    return re.sub(r" ?([(),]) ?", r"\1", words)


@contextmanager
def present() -> Generator[Raw]:
    with raw(":memory:") as db:
        db.execute((package() / "schema.sql").read_text("utf-8"))
        yield db


def test_the_present_is_all_migrations_together(tmp_path: Path) -> None:
    db = Database(tmp_path / "x.db", SMALL, cache_kib=100)
    migrate(db, load())
    db.close()
    with raw(tmp_path / "x.db") as migrated, present() as schema:
        assert dump(migrated) == dump(schema)
        assert len(dump(migrated)) > 20


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    db = Database(tmp_path / "x.db", SMALL, cache_kib=100)
    with pytest.raises(apsw.SQLError):
        migrate(db, [*load(), "CREATE TABLE more (a); INSERT INTO nothing VALUES (1)"])
    assert db.rows("SELECT count(*) FROM sqlite_schema") == [(0,)]
    migrate(db, load())
    migrate(db, [*load(), "CREATE TABLE more (a)"])
    assert db.rows("PRAGMA user_version") == [(len(load()) + 1,)]
    db.close()


OLD_RUN = """
    INSERT INTO task (no, env, id) VALUES (1, 'dev', 'greet');
    INSERT INTO run (
        id, task, created, version, state, epoch, attempt, failures, lost, entries, updated,
        started, ran_ms, max_attempts, waits
    ) VALUES ('run-1', 1, 5, 7, 'waiting', 1, 1, 0, 0, 1, 5, 5, 0, 3, x'90');
    INSERT INTO entry VALUES (1, '/a#0', 0, 'step', 'value', x'31', 5, '', '', NULL, -1, NULL);
"""


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """A file of the first version, with a run in it."""
    path = tmp_path / "headrace.db"
    db = Database(path, SMALL, cache_kib=100)
    migrate(db, load()[:1])
    db.script(OLD_RUN)
    db.close()
    return path


async def test_an_old_file_is_opened_and_goes_on(old_file: Path) -> None:
    async with open_sqlite(old_file, settings=SMALL) as stores:
        old = await stores.runs.load(RunId("run-1"))
        assert old is not None
        assert (old.state, old.saved, old.base, old.code) == (Waiting(None), None, 0, "")
        assert [entry.key for entry in await stores.runs.journal(old.id)] == ["/a#0"]
        again = decide(replace(old, state=Queued(T0)), c.Claim(WORKER, "v2"), T0).after
        claimed = c.Change(old, again)
        await stores.runs.commit(claimed)
        await stores.runs.commit(saved(again, b"frames", drops=True))
        assert await stores.snapshots.read(old.id, 1) == b"frames"
        assert await stores.snapshots.footing(old.id, 1) is None
        assert await stores.runs.journal(old.id) == []
        left = await stores.runs.load(old.id)
        assert left is not None
        assert (left.saved, left.base, left.code) == (1, 1, "")


async def test_a_run_that_an_earlier_version_blocked_can_be_accepted(old_file: Path) -> None:
    with raw(old_file) as db:
        detail = msgspec.msgpack.encode(Cause("-step a", "Diverged"))
        db.execute("UPDATE run SET state = 'blocked', waits = NULL, detail = ?", (detail,))
    async with open_sqlite(old_file, settings=SMALL) as stores:
        old = await stores.runs.load(RunId("run-1"))
        assert old is not None
        assert old.state == Blocked(Cause("-step a", "Diverged"))
        journal = await stores.runs.journal(old.id)
        await stores.runs.commit(decide(old, c.Accept((skipping(journal[0]),)), T0))
        assert [entry.kind for entry in await stores.runs.journal(old.id)] == ["step", "skip"]


async def test_a_newer_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "headrace.db"
    async with open_sqlite(path, settings=SMALL) as stores:
        await stores.runs.create(queued(), Order())
    with raw(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(Mistake, match=r"newer headrace \(its schema is 99") as refused:
        async with open_sqlite(path, settings=SMALL):
            pass
    assert "Upgrade" in refused.value.hint
    with raw(path) as db:
        assert db.execute("PRAGMA user_version").fetchall() == [(99,)]
        assert db.execute("SELECT id FROM run").fetchall() == [("run-1",)]


@pytest.mark.parametrize("sql", ["CREATE TABLE a (b)", "PRAGMA application_id = 7"])
async def test_somebody_elses_file_is_refused_and_left_as_it_is(tmp_path: Path, sql: str) -> None:
    with raw(tmp_path / "x.db") as db:
        db.execute(sql)
    before = (tmp_path / "x.db").read_bytes()
    with pytest.raises(Mistake, match="something else"):
        async with open_sqlite(tmp_path / "x.db", settings=SMALL):
            pass
    assert (tmp_path / "x.db").read_bytes() == before


async def test_what_is_no_database_is_trouble_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database" * 1_000)
    with pytest.raises(Unavailable, match="damaged"):
        async with open_sqlite(path, settings=SMALL):
            pass
    assert path.read_bytes() == b"not a database" * 1_000


async def test_a_path_that_cannot_be_used_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "x.db"):
        with pytest.raises(Unavailable, match="cannot be opened") as refused:
            async with open_sqlite(path, settings=SMALL):
                pass
        assert str(path) in str(refused.value)


async def test_several_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    async def use(n: int) -> None:
        async with open_sqlite(tmp_path / "new" / "x.db", settings=SMALL) as stores:
            await stores.runs.create(queued(f"run-{n}"), Order())

    await asyncio.gather(*[use(n) for n in range(6)])
    async with open_sqlite(tmp_path / "new" / "x.db", settings=SMALL) as stores:
        assert all([await stores.runs.load(RunId(f"run-{n}")) for n in range(6)])


async def test_nobody_else_may_read_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "er"
    async with open_sqlite(folder / "x.db", settings=SMALL) as stores:
        await stores.runs.create(queued(), Order())
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes == dict.fromkeys(("x.db", "x.db-wal", "x.db-shm"), 0o600)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


# --- laws ---------------------------------------------------------------------------------------

BROKEN = [
    "state = 'asleep'",
    "state = 'queued'",  # since when?
    "state = 'over', moment = 1, worker = NULL, resumed = NULL",  # how did it end?
    "worker = NULL",
    "resumed = NULL",
    "moment = 1",
    "outcome = 'completed'",
    "detail = NULL, state = 'waiting'",  # time goes on for a run that waits
    "attempt = 7",
    "failures = 2",
    "epoch = 0",
    "started = NULL",
    "version = -1",
    "entries = -1",
    "stop_by = 5",
    "stop_outcome = 'canceled'",
    "stop_by = 5, stop_outcome = 'completed'",
    "wait_due = 5",
    "base = -1",
    "base = 1",  # an entry that never was
    "saved = 1",
    "base = 1, entries = 2, saved = 0",
    "state = 'over', moment = 1, worker = NULL, resumed = NULL, outcome = 'canceled', saved = 0",
    "code = 1, epoch = 0, attempt = 0, started = NULL",
    "id = ''",
]


@pytest.mark.parametrize("change", BROKEN)
async def test_a_run_that_breaks_a_law_cannot_be_written(tmp_path: Path, change: str) -> None:
    async with open_sqlite(tmp_path / "x.db", settings=SMALL) as stores:
        await executing(stores)
        with raw(tmp_path / "x.db") as db, pytest.raises(apsw.ConstraintError, match="CHECK"):
            db.execute(f"UPDATE run SET {change}")  # noqa: S608 - ours, from the list above


# --- queries ------------------------------------------------------------------------------------

QUERIES = sorted((package() / "queries").glob("*.sql"))
SEARCHES = {"find_newest", "find_before"}  # through all runs of an environment, in a thread
BY_TABLE = {"insert_task", "insert_stream", "select_task_number", "select_stream_number"}
FEW = ("meta", "lease", "holder", "json_each", "found", "record", "new", "CONSTANT")
"""Small, or rows that a subquery has just found by its index, or no table (`CONSTANT ROW`)."""


def test_every_query_has_a_sentence_and_a_use() -> None:
    places = (package(), package().parent / "rows")
    files = [file for place in places for file in place.glob("*.py")]
    sources = "".join(file.read_text("utf-8") for file in files)
    for path in QUERIES:
        text = path.read_text("utf-8")
        for name, body in statements(text):
            assert re.search(rf"-- name: {name}\n-- [A-Z].*\.\n", text), name
            assert body.endswith(";"), name
            tables = "task|stream|code|footing"
            by_table = re.sub(rf"(select|insert)_({tables})_number|insert_({tables})", "", name)
            assert f'"{name}"' in sources or not by_table, name


@pytest.mark.parametrize("name", sorted(SQL))
def test_every_query_finds_its_rows_by_an_index(name: str) -> None:
    holes = {int(number) for number in re.findall(r"\?(\d+)", SQL[name])}
    assert holes == set(range(1, len(holes) + 1))
    with present() as db:
        plan = db.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", (None,) * len(holes)).fetchall()
    steps = [str(row[3]) for row in plan]
    scans = [step for step in steps if step.startswith("SCAN") and step.split()[1] not in FEW]
    assert not scans or name in SEARCHES


def test_two_queries_of_one_name_would_be_noticed() -> None:
    with pytest.raises(ValueError, match="before the first name"):
        list(statements("SELECT 1;\n-- name: a\n-- Why.\nSELECT 2;"))
