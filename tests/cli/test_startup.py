"""What `serve` and `dev` say of a configuration that is wrong: one sentence, the fix, no secret."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import anyio
import asyncpg
import pytest

from tests.cli.house import House, Printed
from tests.s2.standin import StandIn, failing
from tests.services.postgres import Postgres, free_port
from tests.services.redis import redis_server

pytestmark = [pytest.mark.usefixtures("anyio_backend"), pytest.mark.timeout(120)]
MISTAKE, AWAY = 3, 4
CANARY: Final = "c4nary"
"""In every secret, and so in nothing that is printed."""
ROOT, MASTER = f"tr_dev_{CANARY}0123456789012345678901234567", f"{CANARY}-0123456789-0123456789"
KEYS: Final = {"HEADRACE_SECRET_KEY": ROOT, "HEADRACE_MASTER_KEY": MASTER}
EVERYWHERE = "0.0.0.0"  # noqa: S104 - refused


@pytest.fixture(scope="module")
async def places(postgres_server: Postgres) -> AsyncIterator[Mapping[str, object]]:
    """Servers of each kind, and a user of the database who has a password."""
    connection = await asyncpg.connect(postgres_server.dsn())
    try:
        hba = postgres_server.folder / "data/pg_hba.conf"
        before = hba.read_text()
        hba.write_text("host all guarded 127.0.0.1/32 scram-sha-256\n" + before)
        for sql in (
            "DROP DATABASE IF EXISTS fresh_one WITH (FORCE)",
            "DROP ROLE IF EXISTS guarded",
            "DROP ROLE IF EXISTS guest",
            f"CREATE ROLE guarded LOGIN PASSWORD '{CANARY}@1'",
            "CREATE ROLE guest LOGIN",
            "CREATE DATABASE fresh_one",
            "SELECT pg_reload_conf()",
        ):
            await connection.execute(sql)
        with redis_server({"requirepass": f"{CANARY}/2"}) as locked, redis_server() as open_:
            yield {
                "pg": f"127.0.0.1:{postgres_server.port}",
                "locked": f"127.0.0.1:{locked.port}",
                "redis": f"127.0.0.1:{open_.port}",
                "none": f"127.0.0.1:{free_port()}",
                "c": CANARY,
            }
        hba.write_text(before)
        for sql in ("DROP DATABASE fresh_one WITH (FORCE)", "DROP ROLE guarded", "DROP ROLE guest"):
            await connection.execute(sql)
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


def told(done: Printed, code: int, says: str, fix: str) -> None:
    """Hold what was said to its form: a sentence, and another with the fix."""
    assert done.returncode == code, done.stderr
    (error,) = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert says in error["error"], error
    assert fix in error["hint"], error
    assert "\n" not in error["error"] + error["hint"]
    assert CANARY not in done.stdout + done.stderr
    assert "Errno" not in error["error"]


DATABASES: Final = [
    # form, host, port
    ("postgresql:/x", MISTAKE, "is of no kind", "postgresql://"),
    ("mysql://u:{c}@h/x", MISTAKE, "of kind 'mysql'", "postgresql://"),
    ("postgresql://u:{c}@{pg}x/x", MISTAKE, "no port", "postgresql://USER"),
    ("postgresql://u:{c}#1@{pg}/x", MISTAKE, "has to be escaped", "# as %23"),
    ("postgresql://u:{c}@{none}/x", AWAY, "nothing listens there", "Check host and port"),
    ("postgresql://u:{c}@nowhere.invalid/x", AWAY, "not known", "Check host and port"),
    ("postgresql://u:{c}@{redis}/x", AWAY, "cannot be reached", "Check host and port"),
    # user, password, database, rights, options
    ("postgresql://guarded@{pg}/postgres", MISTAKE, "password authentication", "the password"),
    ("postgresql://guarded:{c}@{pg}/postgres", MISTAKE, "password authentication", "the password"),
    ("postgresql://nobody:{c}@{pg}/postgres", MISTAKE, '"nobody" does not exist', "the user"),
    ("postgresql://headrace@{pg}/none", MISTAKE, '"none" does not exist', "createdb"),
    ("postgresql://guest@{pg}/fresh_one", MISTAKE, "permission denied", "own the schema"),
    ("postgresql://headrace@{pg}/fresh_one?x=1", MISTAKE, 'parameter "x"', "the options"),
    ("postgresql://headrace@{pg}/fresh_one?sslmode=require", AWAY, "rejected SSL", "sslmode"),
]


REDISES: Final = [
    ("http://u:{c}@{redis}", MISTAKE, "malformed", "redis://"),
    ("redis://:{c}@127.0.0.1:x", MISTAKE, "malformed", "redis://"),
    ("redis://{locked}", MISTAKE, "needs a password", "redis://:PASSWORD@"),
    ("redis://:{c}@{locked}", MISTAKE, "refuses the user or the password", "%40"),
    ("redis://:{c}@{redis}", MISTAKE, "has no password, but one was given", "Leave"),
    ("redis://:{c}@{none}", AWAY, "nothing listens there", "Check host and port"),
    ("redis://:{c}@{pg}", AWAY, "cannot be reached", "Check host and port"),
    ("redis://{redis}/99", MISTAKE, "has no database 99", "smaller number"),
]


STREAMS: Final = [
    ("s3://{c}", MISTAKE, "of kind 's3'", "s2://BASIN"),
    ("s2://:{c}@dev?endpoint=http://{none}", MISTAKE, "holds a secret", "HEADRACE_S2_TOKEN"),
    ("s2://acme-headrace", MISTAKE, "need a token", "HEADRACE_S2_TOKEN"),
    ("s2://No?endpoint=http://{none}", MISTAKE, "no name of a basin", "a-z"),
    ("s2://dev?endpoint=http://{none}", AWAY, "nothing listens there", "does s2-lite run"),
]


TABLE: Final = [
    *(("--database", *row) for row in DATABASES),
    *(("--redis", *row) for row in REDISES),
    *(("--streams", *row) for row in STREAMS),
]


@pytest.fixture(scope="module")
def answers(
    tmp_path_factory: pytest.TempPathFactory, places: Mapping[str, object]
) -> Iterator[Mapping[str, Future[Printed]]]:
    """Each line of the table, typed; some wait for long, so they do it at the same time."""

    def typed(house: House, option: str, url: str) -> Printed:
        return house.typed("serve", "--json", option, url.format(**places))

    houses = [House(tmp_path_factory.mktemp("house")) for _ in TABLE]  # pytest makes one at a time
    with ThreadPoolExecutor(6) as pool:
        typing = zip(houses, TABLE, strict=True)
        yield {url: pool.submit(typed, house, option, url) for house, (option, url, *_) in typing}


@pytest.mark.parametrize(("url", "code", "says", "fix"), [row[1:] for row in TABLE])
def test_a_place_that_is_none(
    answers: Mapping[str, Future[Printed]], url: str, code: int, says: str, fix: str
) -> None:
    told(answers[url].result(120), code, says, fix)


@pytest.mark.parametrize(
    ("status", "name", "says", "fix"),
    [
        (403, "permission_denied", "refuses the token", "HEADRACE_S2_TOKEN"),
        (409, "basin_deletion_pending", "cannot make it", "another name"),
        (400, "invalid_argument", "cannot make it", "make it by hand"),
    ],
)
async def test_a_basin_that_is_not_there_and_may_not_be_made(
    tmp_path: Path, status: int, name: str, says: str, fix: str
) -> None:
    fake = StandIn()
    fake.fail_next("POST basin", failing(status, name))
    async with fake.serving():
        url = f"s2://dev?endpoint={fake.url}"
        done = await anyio.to_thread.run_sync(
            lambda: House(tmp_path).typed("serve", "--json", "--streams", url)
        )
    told(done, MISTAKE, says, fix)


async def test_dev_says_the_same(tmp_path: Path, places: Mapping[str, object]) -> None:
    url = "postgresql://guarded:{c}@{pg}/postgres".format(**places)
    done = House(tmp_path).typed("dev", "jobs.py", "--json", "--database", url)
    told(done, MISTAKE, "password authentication", "the password")


@pytest.mark.parametrize(
    ("library", "extra", "setting"),
    [
        ("asyncpg", "postgres", {"HEADRACE_DATABASE": "postgresql://127.0.0.1/x"}),
        ("redis", "redis", {"HEADRACE_REDIS": "redis://127.0.0.1"}),
        ("s2_sdk", "s2", {"HEADRACE_STREAMS": "s2://dev?endpoint=http://127.0.0.1:9"}),
    ],
)
def test_a_library_that_is_not_installed(
    tmp_path: Path, library: str, extra: str, setting: Mapping[str, str]
) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.modules[{library!r}] = None\n")
    house = House(tmp_path)
    path = f"{tmp_path}:{house.environment.get('PYTHONPATH', '')}"
    done = house.typed("serve", "--json", PYTHONPATH=path, **setting)
    told(done, MISTAKE, "not installed", f"pip install 'headrace[{extra}]'")


def test_a_schema_that_may_not_be_changed(tmp_path: Path, places: Mapping[str, object]) -> None:
    house = House(tmp_path)
    url = "postgresql://headrace@{pg}/fresh_one".format(**places)
    done = house.typed("serve", "--json", "--no-migrate", "--database", url)
    told(done, MISTAKE, "this headrace needs", "headrace db migrate")
    done = house.typed("serve", "--json", HEADRACE_MIGRATE="0")
    told(done, MISTAKE, "there is no database", "headrace db migrate")
    assert not (tmp_path / ".headrace/headrace.db").exists()


def test_keys_that_nobody_chose_are_for_this_machine(tmp_path: Path, database: str) -> None:
    house = House(tmp_path)
    shared = {"HEADRACE_DATABASE": database, "HEADRACE_HOST": EVERYWHERE}
    done = house.typed("serve", "--json", HEADRACE_SECRET_KEY=ROOT, **shared)
    told(done, MISTAKE, "keys that nobody chose", "Set HEADRACE_MASTER_KEY, the same")
    done = house.typed("serve", "--json", **shared)
    told(done, MISTAKE, "keys that nobody chose", "HEADRACE_SECRET_KEY and HEADRACE_MASTER_KEY")
    done = house.typed("serve", "--json", HEADRACE_HOST=EVERYWHERE)
    told(done, MISTAKE, "a key that nobody chose", "HEADRACE_SECRET_KEY")


def test_servers_that_make_different_keys_do_not_share_a_database(
    tmp_path: Path, database: str
) -> None:
    first, second = _house(tmp_path / "first"), _house(tmp_path / "second")
    shared = {"HEADRACE_DATABASE": database}
    with first.long("serve", **shared) as long:
        long.until("serving")
        done = second.typed("serve", "--json", **shared)
        told(done, MISTAKE, "another master key", "HEADRACE_MASTER_KEY")
        master = (first.folder / ".headrace/master-key").read_text().strip()
        done = second.typed("serve", "--json", HEADRACE_MASTER_KEY=master, **shared)
        told(done, MISTAKE, "made another root key", "HEADRACE_SECRET_KEY")
        with second.long(
            "serve", HEADRACE_MASTER_KEY=master, HEADRACE_SECRET_KEY=first.key(), **shared
        ) as other:
            other.until("serving")
        assert not [line for line in other.seen if "warning" in line]


def test_the_keys_that_the_page_makes_are_what_servers_need(tmp_path: Path, database: str) -> None:
    page = (Path(__file__).parents[2] / "docs/howto/keys.md").read_text("utf-8")
    section = page.partition("## Several servers")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    made = subprocess.run(["/bin/bash", "-ec", block], capture_output=True, text=True, check=True)
    keys = dict(line.split("=") for line in made.stdout.splitlines())
    assert set(keys) == set(KEYS)
    shared = {"HEADRACE_DATABASE": database, "HEADRACE_HOST": EVERYWHERE, **keys}
    seen = list[str]()
    with _house(tmp_path / "first").long("serve", **shared) as one:
        one.until("serving")
        with _house(tmp_path / "second").long("serve", **shared) as other:
            other.until("serving")
        seen = other.seen
    assert not [line for line in one.seen + seen if "warning" in line or "same" in line]


def _house(folder: Path) -> House:
    folder.mkdir()
    return House(folder)


def test_a_clock_that_is_far_off_is_told(tmp_path: Path, database: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import time\nnow = time.time_ns\ntime.time_ns = lambda: now() - 7_200 * 10**9\n"
    )
    house = House(tmp_path)
    path = f"{tmp_path}:{house.environment.get('PYTHONPATH', '')}"
    with house.long("serve", PYTHONPATH=path, HEADRACE_DATABASE=database, **KEYS) as long:
        long.until("serving")
    (said,) = [line for line in long.seen if "clock of this machine" in line]
    assert "7,200.0 s behind the database's" in said
    assert "NTP" in said


def test_a_server_loads_no_client() -> None:
    """It costs a fifth of the time in which a server starts."""
    loads = "import sys, headrace.cli.main, headrace.app.process; print('aiohttp' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
