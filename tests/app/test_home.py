"""The home folder: closed to others, one server at a time, one key for good."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from headrace.app.connecting import target
from headrace.app.home import Address, Home, find
from headrace.app.keeping import given_env
from headrace.app.settings import KEY_LETTERS, Settings
from headrace.errors import Mistake, Unauthorized


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / ".headrace")
    made.make()
    return made


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_closed_to_others_whatever_the_mask(home: Home) -> None:
    before = os.umask(0)
    try:
        home.path.chmod(0o777)
        home.make()
        home.made_key()
        home.lock().release()
    finally:
        os.umask(before)
    assert _mode(home.path) == 0o700
    assert {_mode(home.key_path), _mode(home.path / "lock")} == {0o600}


def test_a_key_is_made_once(home: Home) -> None:
    assert home.key() == ""
    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(home.made_key) for _ in range(32)]
        keys = {future.result() for future in made}
    assert keys == {home.key()}
    assert {path.name for path in home.path.iterdir()} == {".gitignore", "key"}
    assert home.key().startswith("tr_dev_")
    assert not home.key().startswith("tr_dev_sk_")


def test_the_key_of_snapshots_is_made_once_and_is_another(home: Home) -> None:
    made = home.made_snapshot_key()  # it makes the folder, too
    path = home.path / "snapshot-key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert home.made_snapshot_key() == made
    assert made != home.made_key()
    assert len(made) >= KEY_LETTERS
    assert {one.name for one in home.path.iterdir()} == {".gitignore", "key", "snapshot-key"}


def test_the_socket_file_is_for_keys_that_may_do_everything_in_its_environment(
    home: Home,
) -> None:
    home.publish(Address(url="http://127.0.0.1:1", pid=17, socket="/s"))
    for key, near in (
        ("tr_dev_x", True),
        ("of_no_form", True),
        ("tr_prod_x", False),
        ("tr_dev_sk_x", False),
        ("tr_prod_sk_x", False),
    ):
        assert (target(Settings(key=key), home).socket is not None) == near
    home.publish(Address(url="http://127.0.0.1:1", pid=17, socket="/s", env="prod"))
    assert target(Settings(key="tr_dev_x"), home).socket is None
    assert target(Settings(key="tr_prod_x"), home).socket == Path("/s")


def test_the_master_key_is_made_once_and_closed_to_others(home: Home) -> None:
    made = home.made_master_key()
    assert home.made_master_key() == made
    assert made not in {home.made_key(), home.made_snapshot_key()}
    assert (_mode(home.path / "master-key"), len(made) >= 48) == (0o600, True)


@pytest.mark.parametrize(
    ("key", "env"),
    [("tr_dev_x", "dev"), ("tr_prod_x", "prod"), ("tr_my-env2_x", "my-env2"), ("x", "dev"),
     ("tr__x", "dev"), ("tr_PROD_x", "dev"), ("tr_prod_", "dev")],
)  # fmt: skip
def test_the_given_key_names_its_environment(key: str, env: str) -> None:
    assert given_env(key) == env


def test_a_restricted_key_is_no_key_to_serve_with() -> None:
    with pytest.raises(Mistake, match="restricted") as refused:
        given_env("tr_dev_sk_012345678901234567890123")
    assert "0123" not in str(refused.value)


def test_a_damaged_key_is_named(home: Home) -> None:
    home.key_path.write_bytes(b"\xff")
    with pytest.raises(Mistake, match="key"):
        home.key()


def test_one_server_holds_it(home: Home) -> None:
    lock = home.lock()
    home.publish(Address(url="http://127.0.0.1:1", pid=17))
    with pytest.raises(Mistake, match=r"process 17 at http://127\.0\.0\.1:1"):
        home.lock()
    lock.release()
    home.lock().release()


def test_a_server_that_has_ended_leaves_nothing(home: Home) -> None:
    home.publish(Address(url="http://127.0.0.1:1", pid=17))
    home.note("worker.pid", b"18\n")
    assert (home.path / "server.pid").read_text() == "17\n"
    home.withdraw()
    home.withdraw()
    assert {path.name for path in home.path.iterdir()} == {".gitignore"}


def test_the_nearest_folder_with_a_key_counts(home: Home, tmp_path: Path) -> None:
    deep = tmp_path / "a/b"
    deep.mkdir(parents=True)
    assert find(None, deep).path == deep / ".headrace"
    home.made_key()
    assert find(None, deep) == home
    assert find(Path("/named"), deep).path == Path("/named")


def test_a_client_goes_where_the_server_is(home: Home) -> None:
    key = home.made_key()
    home.publish(Address(url="http://127.0.0.1:1234", pid=1, socket="/s"))
    found = target(Settings(), home)
    assert (found.url, found.key, found.socket) == ("http://127.0.0.1:1234", key, Path("/s"))
    assert target(Settings(url="http://127.0.0.1:5"), home).socket is None
    assert key not in repr(found)
    home.withdraw()
    assert target(Settings(), home).url == "http://127.0.0.1:8700"


def test_a_kept_key_stays_on_this_machine(home: Home) -> None:
    home.made_key()
    with pytest.raises(Unauthorized, match=r"http://far\.test"):
        target(Settings(url="http://far.test"), home)
    assert target(Settings(url="http://far.test", key="k"), home).key == "k"
    assert target(Settings(url="http://localhost:1"), home).key == home.key()
