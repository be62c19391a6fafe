"""What is made of a database, a Redis and a basin as they were found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, cast

import pytest

from headrace.app import checks
from headrace.app.checks import Check, services
from headrace.app.home import Home
from headrace.app.settings import Settings
from headrace.app.sharing import mark_of
from headrace.backends.postgres import Examined
from headrace.errors import Unavailable
from headrace.wire.vault import Vault

MASTER: Final = "m" * 32
GOOD: Final = Examined(
    server="PostgreSQL 16.4",
    way_ms=0.4,
    ahead_ms=-3.0,
    schema=1,
    needed=1,
    loses=(),
    is_standby=False,
    may_migrate=True,
    pooler=False,
    hears=True,
    room=80,
    wanted=13,
    mark=mark_of(Vault(MASTER.encode())),
)
SETTING: Final = Settings(database="postgresql://u:c4nary@h/x", key="tr_dev_c4nary", master=MASTER)


async def found(
    patch: pytest.MonkeyPatch, home: Home, seen: Examined | Exception, setting: Settings = SETTING
) -> dict[str, Check]:
    """Check a database that is found so."""

    async def examine(*_: object) -> Examined:
        if isinstance(seen, Exception):
            raise seen
        return seen

    patch.setattr("headrace.backends.postgres.examine_postgres", examine)
    said = [check async for check in services(setting, home)]
    assert "c4nary" not in str(said)
    assert all(check.fix for check in said if check.verdict != "ok")
    return {check.name: check for check in said}


@pytest.fixture
def home(tmp_path: Any) -> Home:
    return Home(tmp_path)


async def test_of_one_as_it_should_be_all_is_ok(
    monkeypatch: pytest.MonkeyPatch, home: Home
) -> None:
    said = await found(monkeypatch, home, GOOD)
    assert {name: check.verdict for name, check in said.items()} == dict.fromkeys(
        ("database", "schema", "durable", "hints", "clock", "keys"), "ok"
    )


WRONG: Final[list[tuple[dict[str, object], str, str, str]]] = [
    ({"is_standby": True}, "database", "wrong", "is a standby"),
    ({"room": 12}, "database", "odd", "12 connections free, and a server opens up to 13"),
    ({"way_ms": 200.1}, "database", "wrong", "a message may be seen late"),
    ({"schema": 0}, "schema", "odd", "none yet"),
    ({"schema": 1, "needed": 2}, "schema", "odd", "needs 2"),
    ({"schema": 0, "may_migrate": False}, "schema", "wrong", "may not make"),
    ({"loses": ("fsync = off",)}, "durable", "wrong", "a power cut takes"),
    ({"pooler": True}, "hints", "odd", "transaction pooler"),
    ({"hears": False}, "hints", "odd", "NOTIFY does not arrive"),
    ({"ahead_ms": 1_001.0}, "clock", "odd", "1.0 s ahead of the database's"),
    ({"ahead_ms": -90_000.0}, "clock", "odd", "90.0 s behind the database's"),
    ({"mark": b"another"}, "keys", "wrong", "another master key"),
]
RIGHT: Final[list[tuple[dict[str, object], str]]] = [
    ({"room": 13}, "database"),
    ({"room": None}, "database"),
    ({"way_ms": 200.0}, "database"),
    ({"schema": 2, "may_migrate": False}, "schema"),
    ({"may_migrate": False}, "schema"),
    ({"ahead_ms": 1_000.0}, "clock"),
    ({"mark": None}, "keys"),
]


@pytest.mark.parametrize("row", WRONG)
async def test_what_is_not_is_told(
    monkeypatch: pytest.MonkeyPatch,
    home: Home,
    row: tuple[dict[str, object], str, str, str],
) -> None:
    change, name, verdict, says = row
    said = await found(monkeypatch, home, replace(GOOD, **cast("Any", change)))
    assert (said[name].verdict, says in said[name].text) == (verdict, True), said[name]
    assert [check.name for check in said.values() if check.verdict != "ok"] == [name]


@pytest.mark.parametrize(("change", "name"), RIGHT)
async def test_what_may_be_so_is_ok(
    monkeypatch: pytest.MonkeyPatch, home: Home, change: dict[str, object], name: str
) -> None:
    said = await found(monkeypatch, home, replace(GOOD, **cast("Any", change)))
    assert said[name].verdict == "ok", said[name]


async def test_an_older_schema_is_wrong_where_nobody_brings_it_up(
    monkeypatch: pytest.MonkeyPatch, home: Home
) -> None:
    older, left = replace(GOOD, needed=2), replace(SETTING, migrates=False)
    said = await found(monkeypatch, home, older, left)
    assert (said["schema"].verdict, said["schema"].fix) == ("wrong", "Run `headrace db migrate`.")


async def test_keys_that_were_not_given_are_spoken_of(
    monkeypatch: pytest.MonkeyPatch, home: Home
) -> None:
    bare = replace(SETTING, key="", master="")
    said = await found(monkeypatch, home, GOOD, bare)
    assert (said["keys"].verdict, "HEADRACE_SECRET_KEY and" in said["keys"].text) == ("odd", True)
    assert not (home.path / "master-key").exists()


async def test_of_one_that_does_not_answer_no_more_is_said(
    monkeypatch: pytest.MonkeyPatch, home: Home
) -> None:
    said = await found(monkeypatch, home, Unavailable("it is away", hint="Start it."))
    assert list(said.values()) == [Check("database", "wrong", "it is away", "Start it.")]


async def test_nothing_is_checked_that_is_not_set(home: Home) -> None:
    assert [check async for check in checks.services(Settings(), home)] == []
