"""`headrace tokens`: made on a screen or by a run, and completed by command or by address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest

from tests.cli.house import PATIENCE_S, House

MISTAKE = 3
JOBS = """
from headrace import task, wait


@task
async def bill(limit: str = "1h") -> str:
    token = await wait.create_token(timeout=limit, tags=["bill"])
    return await wait.for_token(token, str, keep_warm=0).unwrap()


@task
async def watch(token: str) -> int:
    return await wait.for_token(token, int).unwrap()
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    here = House(tmp_path_factory.mktemp("house"), JOBS)
    with here.dev():
        yield here


def _json(house: House, *words: str) -> dict[str, object]:
    done = house.run(*words, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def _wait_of(house: House, run: str) -> dict[str, str]:
    house.until_status(run, "WAITING")
    lines = house.run("waits", "--json").stdout.splitlines()
    return next(wait for line in lines if (wait := json.loads(line))["run"] == run)


def test_a_run_waits_and_the_command_that_is_shown_answers_it(house: House) -> None:
    run = house.trigger("watch", json.dumps(_json(house, "tokens", "create")["id"]))
    wait = _wait_of(house, run)
    assert wait["command"].startswith(f"headrace tokens complete {wait['token']} ")
    assert wait["token"] in house.run("waits").stdout
    done = house.run("tokens", "complete", wait["token"], "7")
    assert done.stdout == f"Token {wait['token']} is completed.\n"
    house.until_status(run, "COMPLETED")
    assert _json(house, "runs", "show", run)["output"] == 7
    again = house.run("tokens", "complete", wait["token"], "8")
    assert "was over already: COMPLETED" in again.stdout
    assert _json(house, "tokens", "show", wait["token"])["output"] == "7"


def test_the_address_of_a_token_that_a_run_has_made_completes_it(house: House) -> None:
    run = house.trigger("bill")
    token = _wait_of(house, run)["token"]
    url = str(_json(house, "tokens", "show", token)["url"])
    with urlopen(Request(url, b'"paid"', method="POST"), timeout=PATIENCE_S) as answer:  # noqa: S310
        assert answer.read() == b'{"success":true}'
    house.until_status(run, "COMPLETED")
    assert _json(house, "runs", "show", run)["output"] == "paid"


def test_tokens_are_listed_and_filtered(house: House) -> None:
    made = _json(house, "tokens", "create", "--tag", "mine", "--key", "k", "--timeout", "7d")
    assert _json(house, "tokens", "create", "--key", "k")["id"] == made["id"]
    assert "It was there already" in house.run("tokens", "create", "--key", "k").stderr
    lines = house.run("tokens", "list", "--tag", "mine", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [made["id"]]
    shown = house.run("tokens", "list", "--tag", "mine").stdout
    assert "WAITING" in shown
    assert "in 6d 23h" in shown
    assert not house.run("tokens", "list", "--tag", "mine", "--status", "completed").stdout
    assert "in 6d 23h" in house.run("tokens", "show", str(made["id"])).stdout


def test_what_is_wrong_is_said(house: House) -> None:
    nobody = house.run("tokens", "show", "waitpoint_nobody")
    assert (nobody.returncode, nobody.stdout) == (MISTAKE, "")
    assert "there is no token 'waitpoint_nobody'" in nobody.stderr
    wrong = house.run("tokens", "list", "--status", "DONE")
    assert wrong.returncode == MISTAKE
    assert "One of WAITING, COMPLETED, TIMED_OUT." in wrong.stderr
    assert "5 minutes" in house.run("tokens", "create", "--timeout", "5 minutes").stderr
