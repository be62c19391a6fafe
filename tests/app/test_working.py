"""Who may open what a worker saves: only then may a snapshot stand for a journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.app.home import Address, Home
from headrace.app.settings import Settings
from headrace.app.working import is_key_shared

HERE = "http://127.0.0.1:8700"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / ".headrace")
    made.make()
    return made


def test_workers_in_the_servers_own_home_share_its_key(home: Home) -> None:
    assert is_key_shared(Settings(), home)
    home.publish(Address(url=HERE, pid=1))
    assert is_key_shared(Settings(url=HERE), home)  # as the worker of `headrace dev`


def test_behind_a_balancer_on_this_machine_each_worker_has_a_key_of_its_own(home: Home) -> None:
    assert not is_key_shared(Settings(url=HERE), home)
    home.publish(Address(url="http://127.0.0.1:8701", pid=1))
    assert not is_key_shared(Settings(url=HERE), home)
    assert not is_key_shared(Settings(url="https://headrace.test"), home)


def test_a_key_that_was_given_is_that_of_all(home: Home) -> None:
    given = Settings(url="https://headrace.test", snapshot_keys=("sixteen letters!",))
    assert is_key_shared(given, home)
