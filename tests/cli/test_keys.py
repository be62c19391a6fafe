"""`headrace keys`, another environment past the server, and secrets that are nowhere found."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.cli.house import PATIENCE_S, House, Long

MISTAKE: Final = 3
MASTER: Final = "canary-master-0123456789-0123456789"
ROOT: Final = "tr_dev_canaryroot0123456789012345678901234567"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One server for all of these."""
    here = House(tmp_path_factory.mktemp("house"))
    with here.dev():
        yield here


def _made(house: House, *words: str) -> tuple[str, str]:
    """Make a key; return its id and itself."""
    made = json.loads(house.run("keys", "create", "--json", *words).stdout)
    return made["key"]["id"], made["secret"]


def test_a_key_is_printed_once_and_opens(house: House) -> None:
    done = house.run("keys", "create", "--name", "shop")
    secret = done.stdout.strip()
    assert (done.returncode, len(done.stdout.split())) == (0, 1)
    assert "shown this once" in done.stderr
    assert house.run("runs", "list", HEADRACE_SECRET_KEY=secret).returncode == 0
    listed = house.run("keys", "list").stdout
    assert ("shop" in listed, secret[-4:] in listed, secret in listed) == (True, True, False)
    assert "given" in listed


def test_a_restricted_key_does_what_it_may(house: House) -> None:
    _, secret = _made(house, "--scope", "read:runs")
    assert secret.startswith("tr_dev_sk_")
    assert house.run("runs", "list", HEADRACE_SECRET_KEY=secret).returncode == 0
    refused = house.run("trigger", "double", "1", HEADRACE_SECRET_KEY=secret)
    assert (refused.returncode, "trigger" in refused.stderr) == (MISTAKE, True)
    assert house.run("keys", "list", HEADRACE_SECRET_KEY=secret).returncode == MISTAKE


def test_a_key_is_rotated_and_revoked(house: House) -> None:
    key, secret = _made(house)
    rotated = house.run("keys", "rotate", key, "--grace", "1h")
    other = rotated.stdout.strip()
    assert f"headrace keys revoke {key}" in rotated.stderr
    for one in (secret, other):
        assert house.run("runs", "list", HEADRACE_SECRET_KEY=one).returncode == 0
    assert house.run("keys", "revoke", key).returncode == 0
    told = [
        house.run("runs", "list", HEADRACE_SECRET_KEY=one).returncode for one in (secret, other)
    ]
    assert told == [MISTAKE, 0]
    standing = [
        json.loads(line) for line in house.run("keys", "list", "--json").stdout.splitlines()
    ]
    assert [one["standing"] for one in standing if one["id"] == key] == ["ended"]


def test_mistakes_are_said(house: House) -> None:
    for words, why in (
        (("keys", "revoke", "key_none"), "there is no key key_none"),
        (("keys", "revoke", "given"), "HEADRACE_SECRET_KEY"),
        (("keys", "rotate", "key_none", "--grace", "soon"), "no duration"),
        (("keys", "create", "--env", "Prod"), "cannot be the name"),
    ):
        done = house.run(*words)
        assert (done.returncode, why in done.stderr) == (MISTAKE, True), done.stderr


def test_another_environment_has_its_own_worker_and_runs(house: House) -> None:
    _, secret = _made(house, "--env", "prod")
    assert secret.startswith("tr_prod_")
    mine = {"HEADRACE_SECRET_KEY": secret}
    house.until_known(**mine)
    refused = house.run("trigger", "double", "1", **mine)
    assert (refused.returncode, "no worker has ever declared" in refused.stderr) == (MISTAKE, True)
    run = house.trigger("double", "1")
    with house.long("worker", "jobs.py", **mine) as worker:
        worker.until("ready")
        assert house.run("trigger", "double", "21", "--wait", **mine).stdout == "42\n"
    assert house.run("runs", "show", run, **mine).returncode == MISTAKE
    listed = house.run("runs", "list", "--json", **mine).stdout.splitlines()
    assert [run in line for line in listed] == [False]
    assert "prod" not in house.run("keys", "list").stdout


def test_without_a_database_there_is_no_environment_to_make(tmp_path: Path) -> None:
    done = House(tmp_path).run("keys", "create", "--env", "prod")
    assert (done.returncode, "no database here" in done.stderr) == (MISTAKE, True)


# --- secrets ------------------------------------------------------------------------------------


def _asked(url: str, path: str, key: str, body: bytes | None = None) -> bytes:
    headers = {"authorization": f"Bearer {key}"}
    try:
        with urlopen(Request(url + path, body, headers), timeout=PATIENCE_S) as answer:  # noqa: S310 - ours
            return bytes(answer.read())
    except HTTPError as error:
        with error:
            return error.read()


def _secrets(url: str) -> Sequence[str]:
    """Make every sort of secret there is, and use each well and badly."""
    made = [
        json.loads(_asked(url, "/api/headrace/v1/keys", ROOT, body))["secret"]
        for body in (b'{"name":"root"}', b'{"scopes":["admin"]}', b'{"scopes":["read:runs"]}')
    ]
    order = b'{"scopes":["admin","read:runs"],"uses":3,"actor":"alice"}'
    tokens = [
        json.loads(_asked(url, "/api/v1/auth/public-tokens", key, order))["token"]
        for key in (ROOT, *made[:2])
    ]
    said = b""
    for key in (ROOT, *made, *tokens):
        for path, body in (
            ("/api/v1/runs", None),
            ("/api/v3/runs/run_none", None),
            ("/api/v1/tasks/double/trigger", b'{"payload":21}'),
            ("/api/v1/tasks/double/trigger", b"{"),
            ("/realtime/v1/streams/run_none/input/words", b'{"data":"x"}'),
            ("/nowhere", None),
            ("/api/headrace/v1/keys", None),
            ("/api/headrace/v1/worker", None),
        ):
            said += _asked(url, path, key, body)
        said += _asked(url, "/api/v1/runs", f"{key}x") + _asked(url, "/api/v1/runs", f"{key}.a.b")
    for secret in (ROOT, MASTER, *made, *tokens):
        assert secret.encode() not in said
    return [ROOT, MASTER, *made, *tokens]


def _kept(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_secret_is_in_any_log_answer_or_file(tmp_path: Path, how: signal.Signals) -> None:
    here, given = House(tmp_path), {"HEADRACE_SECRET_KEY": ROOT, "HEADRACE_MASTER_KEY": MASTER}
    with here.long("dev", "jobs.py", HEADRACE_DEBUG="1", **given) as long:
        url = _ready(long)
        secrets = _secrets(url)
        long.end(how)
        printed = "\n".join(long.seen)
    files = dict(_kept(tmp_path))
    assert any(name.endswith("headrace.db") for name in files)
    for secret in secrets:
        # The parts of a token as well: a body and its signature are as good as the whole.
        for part in (secret, *secret.split(".")[2:]):
            assert part not in printed
            assert not [name for name, text in files.items() if part.encode() in text]


def _ready(long: Long) -> str:
    url = long.until("serving").url
    long.until("ready")
    return url
