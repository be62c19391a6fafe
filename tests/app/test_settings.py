"""Settings say what is wrong with them, and never what is secret in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.app.settings import Settings, database_path, is_loopback, read
from headrace.errors import BadRequest


def test_nothing_set_means_the_defaults() -> None:
    assert read({}) == Settings() == read({"HEADRACE_PORT": "", "HEADRACE_URL": ""})


def test_everything_set_is_read() -> None:
    environment = {
        "HEADRACE_HOME": "/h",
        "HEADRACE_DATABASE": "sqlite:///x.db",
        "HEADRACE_STREAMS": "s2://my-streams",
        "HEADRACE_S2_TOKEN": "a token for s2",
        "HEADRACE_URL": "https://a.test/",
        "HEADRACE_SECRET_KEY": "tr_dev_k",
        "HEADRACE_MASTER_KEY": "a master key of some length",
        "HEADRACE_TOKEN_RATE": "0",
        "HEADRACE_KEY_RATE": "9",
        "HEADRACE_HOST": "::1",
        "HEADRACE_PORT": "1",
        "HEADRACE_SLOTS": "2",
        "HEADRACE_MEMORY": "3",
        "HEADRACE_STRICT": "1",
        "HEADRACE_SNAPSHOT": "always",
        "HEADRACE_REPLAY": "always",
        "HEADRACE_SNAPSHOT_KEY": "the newest of the keys, the one before it",
    }
    assert read(environment) == Settings(
        home=Path("/h"),
        database="sqlite:///x.db",
        streams="s2://my-streams",
        s2_token="a token for s2",
        url="https://a.test",
        key="tr_dev_k",
        master="a master key of some length",
        token_rate=0,
        key_rate=9,
        host="::1",
        port=1,
        slots=2,
        memory_mib=3,
        strict=True,
        snapshots="always",
        replays="always",
        snapshot_keys=("the newest of the keys", "the one before it"),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEADRACE_STREAMS", "kafka://topic"),
        ("HEADRACE_PORT", "65536"),
        ("HEADRACE_PORT", "-1"),
        ("HEADRACE_PORT", "http"),
        ("HEADRACE_SLOTS", "many"),
        ("HEADRACE_STRICT", "yes"),
        ("HEADRACE_URL", "127.0.0.1:8700"),
        ("HEADRACE_SECRET_KEY", "two words"),
        ("HEADRACE_SECRET_KEY", "zwölf"),
        ("HEADRACE_MASTER_KEY", "too short"),
        ("HEADRACE_TOKEN_RATE", "-1"),
        ("HEADRACE_SNAPSHOT", "sometimes"),
        ("HEADRACE_REPLAY", "sometimes"),
        ("HEADRACE_SNAPSHOT_KEY", "long enough for one,short"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(BadRequest, match=name) as refused:
        read({name: value})
    if name.endswith("_KEY"):
        assert value not in str(refused.value)


def test_a_key_is_not_shown() -> None:
    assert "tr_dev_k" not in repr(read({"HEADRACE_SECRET_KEY": "tr_dev_k"}))
    assert "sixteen" not in repr(read({"HEADRACE_SNAPSHOT_KEY": "sixteen letters at least"}))


@pytest.mark.parametrize(
    ("database", "path"),
    [("", "h/headrace.db"), ("sqlite:///a/b.db", "a/b.db"), ("sqlite:////a/b.db", "/a/b.db")],
)
def test_a_database_is_a_file(database: str, path: str) -> None:
    assert database_path(database, Path("h")) == Path(path)


@pytest.mark.parametrize("database", ["postgresql://u:secret@h/d", "sqlite:", "x.db"])
def test_another_database_is_refused_without_its_password(database: str) -> None:
    with pytest.raises(BadRequest, match="HEADRACE_DATABASE") as refused:
        database_path(database, Path("h"))
    assert "secret" not in str(refused.value)


def test_this_machine_is_told_from_others() -> None:
    assert all(map(is_loopback, ["http://127.0.0.1:1", "http://localhost", "http://[::1]:2"]))
    assert not any(map(is_loopback, ["http://10.0.0.1", "https://127.0.0.1.test"]))
