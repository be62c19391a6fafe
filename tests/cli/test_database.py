"""`headrace db migrate`, `doctor` and `keys --env` on a real Postgres, Redis and S2."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from headrace.backends.postgres.migrations import SCRIPTS
from headrace.backends.sqlite.migrations import load
from tests.cli.house import House, Printed
from tests.s2.lite import Lite, running
from tests.services.pgbouncer import pgbouncer
from tests.services.postgres import Postgres, free_port
from tests.services.redis import RedisServer

pytestmark = pytest.mark.usefixtures("anyio_backend")  # some of what they need is async
OK, VERDICT, MISTAKE, AWAY = 0, 1, 3, 4
CANARY: Final = "c4nary"
ROOT, MASTER = f"tr_dev_{CANARY}0123456789012345678901234567", f"{CANARY}-0123456789-0123456789"
KEYS: Final = {"HEADRACE_SECRET_KEY": ROOT, "HEADRACE_MASTER_KEY": MASTER}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
async def fresh(postgres_server: Postgres) -> AsyncIterator[str]:
    """The URL of a database with nothing in it."""
    connection = await asyncpg.connect(postgres_server.dsn())
    try:
        await connection.execute("DROP DATABASE IF EXISTS fresh_db WITH (FORCE)")
        await connection.execute("CREATE DATABASE fresh_db")
        yield postgres_server.dsn("fresh_db")
        await connection.execute("DROP DATABASE fresh_db WITH (FORCE)")
    finally:
        await connection.close()


@pytest.fixture
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lite]:
    with running(tmp_path_factory.mktemp("s2")) as server:
        yield server


def do(dsn: str, *statements: str) -> None:
    """Change the database as somebody else."""

    async def work() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            for sql in statements:
                await connection.execute(sql)
        finally:
            await connection.close()

    asyncio.run(work())


# --- migrate ------------------------------------------------------------------------------------


def test_a_file_is_migrated_step_by_step_and_once(house: House) -> None:
    last, path = len(load()), str(house.folder / ".headrace/headrace.db")
    done = house.typed("db", "migrate", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, events[-1]) == (
        OK,
        {"event": "migrated", "database": path, "from": 0, "version": last},
    )
    assert [event["version"] for event in events[:-1]] == list(range(1, last + 1))
    assert (house.folder / ".headrace").stat().st_mode & 0o777 == 0o700
    again = house.run("db", "migrate")
    assert (again.returncode, again.stderr) == (OK, "")
    assert "nothing to do" in again.stdout
    with house.long("serve", HEADRACE_MIGRATE="0") as long:
        long.until("serving")


def test_a_postgres_is_migrated_and_then_served_by_who_must_not(house: House, fresh: str) -> None:
    done = house.typed("db", "migrate", "--database", fresh)
    assert done.returncode == OK, done.stderr
    assert f"schema {len(SCRIPTS)} of {len(SCRIPTS)}" in done.stderr
    assert f"fresh_db has schema {len(SCRIPTS)} now; it had none." in done.stdout
    again = house.run("db", "migrate", HEADRACE_DATABASE=fresh)
    assert (again.returncode, "nothing to do" in again.stdout) == (OK, True)
    with house.long("serve", "--no-migrate", "--database", fresh) as long:
        long.until("serving")


def test_a_newer_schema_is_left_as_it_is_and_served(house: House, fresh: str) -> None:
    assert house.run("db", "migrate", "--database", fresh).returncode == OK
    do(fresh, "UPDATE headrace.ledger SET version = 99")
    done = house.run("db", "migrate", "--database", fresh)
    assert (done.returncode, "schema 99, newer than" in done.stdout) == (OK, True)
    with house.long("serve", "--database", fresh) as long:
        long.until("serving")
    do(fresh, "UPDATE headrace.ledger SET least = 98")
    done = house.run("db", "migrate", "--database", fresh)
    assert (done.returncode, "Upgrade headrace" in done.stderr) == (MISTAKE, True)


def test_what_cannot_be_migrated_is_told(house: House) -> None:
    done = house.typed("db", "migrate", "--database", f"postgresql://u:{CANARY}@127.0.0.1:1/x")
    assert (done.returncode, "nothing listens there" in done.stderr) == (AWAY, True)
    assert CANARY not in done.stderr
    (house.folder / "other.db").write_bytes(b"no database, and long enough to be read as one" * 9)
    done = house.run("db", "migrate", "--database", f"sqlite:///{house.folder}/other.db")
    assert done.returncode != OK
    assert "other.db" in done.stderr


# --- doctor -------------------------------------------------------------------------------------


def checked(done: Printed) -> dict[str, tuple[str, str, str]]:
    """Return what `doctor --json` found, by name."""
    assert CANARY not in done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(line["fix"] for line in lines if line["verdict"] != "ok"), lines
    return {line["name"]: (line["verdict"], line["text"], line["fix"]) for line in lines}


def test_all_is_well_where_a_server_runs(
    house: House, database: str, redis_of_all: RedisServer, lite: Lite
) -> None:
    places = {
        "HEADRACE_DATABASE": database,
        "HEADRACE_REDIS": redis_of_all.url(),
        "HEADRACE_STREAMS": f"s2://dev?endpoint={lite.url}",
        **KEYS,
    }
    with house.dev(**places) as long:
        done = house.typed("doctor", "--json", **places)
        assert long.process.poll() is None
    found = checked(done)
    assert done.returncode == OK, done.stdout
    assert {name: verdict for name, (verdict, *_) in found.items() if verdict != "ok"} == {}
    assert set(found) == {
        *("python", "settings", "folder", "database", "schema", "durable", "hints", "clock"),
        *("keys", "redis", "streams", "server", "worker", "code"),
    }
    assert "PostgreSQL" in found["database"][1]
    assert "kept for good" in found["streams"][1]
    assert not (house.folder / ".headrace/headrace.db").exists()


def test_nothing_is_made_by_looking(house: House, fresh: str, lite: Lite) -> None:
    words = ("doctor", "--json", "--database", fresh, "--streams", f"s2://dev?endpoint={lite.url}")
    for _ in range(2):
        found = checked(house.run(*words))
        assert found["schema"][::2] == (
            "odd",
            "`headrace serve` sees to it when it starts, or `headrace db migrate` now.",
        )
        assert found["streams"][:2] == (
            "odd",
            f"there is no basin 'headrace-dev' at {lite.url} yet",
        )
        assert found["keys"][0] == "odd"
    assert not (house.folder / ".headrace").exists()
    found = checked(house.run(*words, HEADRACE_MIGRATE="0"))
    assert found["schema"][::2] == ("wrong", "Run `headrace db migrate`.")


def test_what_cannot_be_reached_is_wrong(house: House) -> None:
    at = f"127.0.0.1:{free_port()}"
    done = house.typed(
        *("doctor", "--json", "--database", f"postgresql://u:{CANARY}@{at}/x"),
        *("--redis", f"redis://:{CANARY}@{at}", "--streams", f"s2://dev?endpoint=http://{at}"),
    )
    found = checked(done)
    assert done.returncode == VERDICT
    for name in ("database", "redis", "streams"):
        assert found[name][0] == "wrong"
        assert "nothing listens there" in found[name][1]


def test_a_pooler_is_noticed(
    house: House, database: str, postgres_server: Postgres, redis_of_all: RedisServer
) -> None:
    del database
    with pgbouncer(postgres_server.port) as port:
        url = f"postgresql://headrace@127.0.0.1:{port}/postgres"
        alone = checked(house.run("doctor", "--json", "--database", url))
        beside = checked(
            house.run("doctor", "--json", "--database", url, "--redis", redis_of_all.url())
        )
    assert alone["hints"][0] == "odd"
    assert "transaction pooler" in alone["hints"][1]
    assert beside["hints"][0] == "ok"


def test_settings_that_lose_what_was_acknowledged_are_wrong(house: House, fresh: str) -> None:
    do(fresh, "ALTER DATABASE fresh_db SET synchronous_commit = off")
    found = checked(house.run("doctor", "--json", "--database", fresh))
    assert found["durable"][0] == "wrong"
    assert "synchronous_commit = off" in found["durable"][1]
    assert found["durable"][2] == "Set synchronous_commit = on."


def test_who_may_not_make_the_schema_is_told(house: House, fresh: str) -> None:
    do(fresh, "DROP ROLE IF EXISTS guest_of_doctor", "CREATE ROLE guest_of_doctor LOGIN")
    try:
        url = fresh.replace("headrace@", "guest_of_doctor@")
        found = checked(house.run("doctor", "--json", "--database", url))
        assert found["schema"][0] == "wrong"
        assert "may not make" in found["schema"][1]
    finally:
        do(fresh, "DROP ROLE guest_of_doctor")


def test_a_redis_that_forgets_or_refuses_is_told(house: House) -> None:
    from tests.services.redis import redis_server  # noqa: PLC0415 - one of its own

    with redis_server({"maxmemory-policy": "allkeys-lru"}) as server:
        words = ("doctor", "--json", "--redis")
        found = checked(house.run(*words, server.url()))
        assert found["redis"][0] == "odd"
        assert "allkeys-lru" in found["redis"][1]
        rights = ("ACL", "SETUSER", "meek", "on", f">{CANARY}", "~headrace:*", "&headrace:*")
        allowed = ("+@connection", "+info", "+get", "+set", "+del", "+publish", "+subscribe")
        server.do(*rights, *allowed)
        url = f"redis://meek:{CANARY}@127.0.0.1:{server.port}"
        found = checked(house.run(*words, url))
        assert found["redis"][0] == "wrong"
        assert "eval" in found["redis"][1]
        server.do(*rights, "+eval", "+evalsha")
        assert checked(house.run(*words, url))["redis"][0] == "odd"


# --- keys past the server -----------------------------------------------------------------------


def test_a_key_of_another_environment_is_made_in_a_shared_database(
    house: House, database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shared, elsewhere = {"HEADRACE_DATABASE": database}, House(tmp_path_factory.mktemp("else"))
    with house.dev(**shared, **KEYS) as long:
        done = elsewhere.run("keys", "create", "--env", "prod", **shared)
        assert (done.returncode, "no master key here" in done.stderr) == (MISTAKE, True)
        other = {**shared, "HEADRACE_MASTER_KEY": "x" * 32}
        done = elsewhere.run("keys", "create", "--env", "prod", **other)
        assert (done.returncode, "another master key" in done.stderr) == (MISTAKE, True)
        done = elsewhere.run("keys", "create", "--env", "prod", **shared, **KEYS)
        assert done.returncode == OK, done.stderr
        secret = done.stdout.strip()
        house.until_known(HEADRACE_SECRET_KEY=secret)
        assert long.process.poll() is None
    listed = elsewhere.run("keys", "list", "--env", "prod", "--json", **shared, **KEYS)
    assert len(listed.stdout.splitlines()) == 1
    done = elsewhere.run("keys", "change-master", "--json", **other)
    assert json.loads(done.stdout) == {"event": "changed", "lost": 1}
    again = house.typed("serve", **shared, **KEYS)
    assert (again.returncode, "another master key" in again.stderr) == (MISTAKE, True)
    wrong = checked(house.run("doctor", "--json", **shared, **KEYS))
    assert wrong["keys"][0] == "wrong"


def test_a_file_has_its_master_key_in_its_folder(house: House) -> None:
    done = house.run("keys", "change-master")
    assert (done.returncode, "master-key in the home folder" in done.stderr) == (MISTAKE, True)
