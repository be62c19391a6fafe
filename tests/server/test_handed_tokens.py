"""What tokens that were handed out are good for, how long, and what they let see."""

import json

import pytest

from headrace.wire import tokens
from tests.server.house import DEV, KEY, House


async def test_a_token_ends_when_it_says(home: House) -> None:
    run = await home.run()
    token = home.token("read:runs", ttl_ms=60_000)

    assert (await home.ask("GET", f"/api/v3/runs/{run}", key=token)).status == 200
    home.clock.advance(60_000)
    said = await home.ask("GET", f"/api/v3/runs/{run}", key=token)
    assert (said.status, "expired" in str(said.json["error"])) == (401, True)


async def test_a_client_learns_what_to_sign_and_its_token_is_good(home: House) -> None:
    said = await home.ask("POST", "/api/v1/auth/jwt/claims")

    assert said.json == {"sub": "dev", "pub": True}


async def test_a_started_run_comes_with_a_token_for_a_browser(home: House) -> None:
    said = await home.ask("POST", "/api/v1/tasks/publish/trigger", b"{}")
    run, token = str(said.json["id"]), said.headers["x-trigger-jwt"]

    assert said.json == {"id": run, "isCached": False}
    assert (await home.ask("GET", f"/api/v3/runs/{run}", key=token)).status == 200
    sent = await home.ask(
        "POST", f"/realtime/v1/streams/{run}/input/notes", b'{"data":1}', key=token
    )
    assert sent.status == 200
    assert (await home.ask("GET", "/api/v1/runs", key=token)).status == 403
    assert said.headers["x-trigger-jwt-claims"] == '{"sub":"dev","pub":true}'


@pytest.mark.parametrize("columns", [["payload", "metadata"], []])
async def test_what_a_token_does_not_show_the_next_one_does_not_show_either(
    home: House, columns: list[str]
) -> None:
    claimed = {"realtime": {"skipColumns": columns}}
    token = tokens.mint(KEY, DEV, ["trigger:tasks"], home.clock.now(), more=claimed)
    said = await home.ask("POST", "/api/v1/tasks/publish/trigger", b'{"payload":7}', key=token)
    given = said.headers["x-trigger-jwt"]
    told = json.loads(said.headers["x-trigger-jwt-claims"])
    assert told == {"sub": "dev", "pub": True, **claimed}
    path = f"/realtime/v1/runs/{said.json['id']}?offset=-1&skipColumns=output"
    row = json.loads((await home.ask("GET", path, key=given)).body)[0]["value"]
    assert {"payload", "metadata", "output"} - row.keys() == set(columns)
