"""Two environments, and every operation of the contract: nothing of one is anything to the other.

For each operation there is a cell, which says what to ask it with. Whoever adds one adds a cell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

import pytest

from headrace.ports import Api
from headrace.wire import tokens
from headrace.wire.keys import KeyOrder
from headrace.wire.registration import Registration, StreamSpec, TaskSpec
from headrace.wire.tokenviews import TokenOrder, TokenQuery
from headrace.wire.views import RunQuery
from tests.server.house import DEV, KEY, OTHER_KEY, PROD, House, Said

SECRETS: Final = re.compile(r"publish|approval|notes|progress|canary|run_\w+|key_\w+|waitpoint_\w+")
"""All that is in `dev`; of the other environment nothing has such a name."""


@dataclass(frozen=True, slots=True)
class Cell:
    """How an operation is asked: its body, and what `dev`'s own root key gets of it."""

    body: str | None = None
    own: int = 200
    query: str = ""
    makes: bool = False
    """What is named is made there: each environment has its own of that name."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


CELLS: Final[Mapping[str, Cell]] = {
    "POST /api/v1/tasks/{task}/trigger": Cell('{"payload":1}'),
    "GET /api/v3/runs/{run}": Cell(),
    "GET /api/v1/runs/{run}/packets/{part}": Cell(),
    "GET /api/headrace/v1/runs/{run}/packets/{part}": Cell(own=401),  # no signature
    "GET /api/v1/runs": Cell(),
    "POST /api/v2/runs/{run}/cancel": Cell(),
    "GET /api/v1/runs/{run}/result": Cell(own=404),  # it has not ended
    "GET /api/headrace/v1/runs/{run}/events": Cell(),
    "GET /api/v1/runs/{run}/events": Cell(),
    "POST /api/v1/auth/jwt/claims": Cell(),
    "POST /api/v1/runs/{run}/replay": Cell('{"payload":2}'),
    "POST /api/v1/runs/{run}/reschedule": Cell('{"delay":"1h"}', own=400),  # it is not delayed
    "POST /api/v1/runs/{run}/tags": Cell('{"tags":["canary"]}'),
    "GET /api/v1/runs/{run}/metadata": Cell(),
    "PUT /api/v1/runs/{run}/metadata": Cell('{"metadata":{"canary":1}}'),
    "POST /api/v1/idempotencyKeys/{key}/reset": Cell('{"taskIdentifier":"{task}"}', own=404),
    "PUT /api/v2/packets/{key}": Cell(makes=True),
    "GET /api/v1/packets/{key}": Cell(own=404),  # nothing was uploaded
    "PUT /api/headrace/v1/packets/{key}": Cell("1", own=401),  # no signature
    "GET /api/headrace/v1/packets/{key}": Cell(own=401),
    "GET /realtime/v1/runs/{run}": Cell(),
    "GET /realtime/v1/runs": Cell(query="?tags=canary"),
    "PUT /realtime/v1/streams/{run}/{target}/{stream}": Cell(own=202),
    "POST /realtime/v1/streams/{run}/{target}/{stream}": Cell('{"canary":1}\n'),
    "HEAD /realtime/v1/streams/{run}/{target}/{stream}": Cell(headers={"x_client_id": "w"}),
    "POST /realtime/v1/streams/{run}/{target}/{stream}/append": Cell("canary"),
    "POST /api/headrace/v1/runs/{run}/unblock": Cell(own=422),  # it is not blocked
    "POST /api/headrace/v1/runs/{run}/restart": Cell(own=422),
    "POST /api/headrace/v1/runs/{run}/accept": Cell('{"skip":[0]}', own=422),
    "POST /api/v1/auth/public-tokens": Cell('{"scopes":["read:runs:{run}"]}'),
    "POST /api/headrace/v1/keys": Cell('{"name":"of the other"}'),
    "GET /api/headrace/v1/keys": Cell(),
    "POST /api/headrace/v1/keys/{key}/revoke": Cell(),
    "POST /api/headrace/v1/keys/{key}/rotate": Cell('{"grace":"1h"}'),
    "POST /api/v1/waitpoints/tokens": Cell('{"tags":["canary"]}'),
    "POST /api/v1/runs/{run}/input-streams/wait": Cell('{"streamId":"{stream}"}'),
    "GET /api/v1/waitpoints/tokens": Cell(),
    "GET /api/v1/waitpoints/tokens/{token}": Cell(),
    "POST /api/v1/waitpoints/tokens/{token}/complete": Cell('{"data":"canary"}'),
    "POST /api/v1/waitpoints/tokens/{token}/callback/{proof}": Cell("1", own=401),  # a wrong one
    "POST /realtime/v1/streams/{run}/input/{stream}": Cell('{"data":1}'),
    "GET /realtime/v1/streams/{run}/input/{stream}": Cell(),
    "GET /realtime/v1/streams/{run}/{stream}": Cell(),
    "POST /api/headrace/v1/registrations": Cell('{"version":"9","tasks":[],"streams":[]}'),
    "GET /api/headrace/v1/registrations": Cell(),
    "GET /api/headrace/v1/worker": Cell(own=400),  # no upgrade was asked for
}
NOBODY: Final = "none_000000000000"
OPEN: Final = {"GET /health", "GET /openapi.json"}


@dataclass(frozen=True, slots=True)
class Town:
    """The house, what lives in `dev`, and who comes from `prod`."""

    house: House
    ids: Mapping[str, str]
    strangers: Mapping[str, str]

    async def ask(self, name: str, key: str, ids: Mapping[str, str], *, head: bool = False) -> Said:
        """Ask an operation."""
        method, path = name.split()
        cell = CELLS[name]
        return await self.house.ask(
            "HEAD" if head else method,
            _filled(path, ids) + cell.query,
            None if cell.body is None else _filled(cell.body, ids).encode(),
            key=key,
            **cell.headers,
        )


def _filled(text: str, ids: Mapping[str, str]) -> str:
    for name, value in ids.items():
        text = text.replace(f"{{{name}}}", value)
    return text


@pytest.fixture
async def town(home: House) -> Town:
    """`dev` is full; `prod` has only a task and a stream of other names, and its own keys."""
    declared = Registration(
        version="p", tasks=(TaskSpec(id="ship"),), streams=(StreamSpec(name="orders", inward=True),)
    )
    other = home.engine.at(PROD)
    await other.register(declared)
    restricted = await other.create_key(KeyOrder(name="r", scopes=["admin", "*:all"]))
    root = await other.create_key(KeyOrder(name="p"))
    run = await home.run()
    key = (await home.api.create_key(KeyOrder(name="canary"))).key.id
    token = (await home.api.create_token(TokenOrder(tags=["canary"]))).id
    now = home.clock.now()
    named = [
        f"{verb}:{kind}:{one}"
        for verb in ("read", "write")
        for kind in ("runs", "inputStreams")
        for one in (run, NOBODY)
    ]
    named += [f"write:waitpoints:{one}" for one in (token, NOBODY)]
    return Town(
        home,
        {
            "run": run,
            "task": "publish",
            "stream": "notes",
            "key": key,
            "target": "self",
            "part": "payload",
            "token": token,
            "proof": "0" * 64,
        },
        {
            "the given key": OTHER_KEY,
            "a root key": root.secret,
            "a restricted key": restricted.secret,
            "a token for all": tokens.mint(OTHER_KEY, PROD, ["admin", "*:all"], now),
            "a token that names": tokens.mint(OTHER_KEY, PROD, [*named, "trigger:tasks"], now),
            "a token that lies": tokens.mint(OTHER_KEY, DEV, ["admin", "*:all"], now),
        },
    )


async def _state(api: Api, run: str) -> str:
    """Return all that there is in an environment."""
    page = await api.list_runs(RunQuery(size=100))
    keys, listed = await api.list_keys(), await api.listing()
    made = await api.list_tokens(TokenQuery(size=100))
    seen = [(view.id, view.status, view.unread) for view in page.data]
    return repr((seen, keys, listed, made, run))


async def test_every_operation_has_a_cell(home: House) -> None:
    said = await home.ask("GET", "/openapi.json", key="")
    paths = cast("Mapping[str, Mapping[str, object]]", said.json["paths"])
    operations = {
        f"{method.upper()} {path}" for path, methods in paths.items() for method in methods
    }

    assert operations - OPEN == set(CELLS)


@pytest.mark.parametrize("name", sorted(CELLS))
async def test_nobody_learns_of_another_environment_or_changes_it(town: Town, name: str) -> None:
    nowhere = {**dict.fromkeys(town.ids, NOBODY), "target": "self"}
    before = await _state(town.house.api, town.ids["run"])
    for who, key in town.strangers.items():
        asked = await town.ask(name, key, town.ids)
        missing = await town.ask(name, key, nowhere)
        assert asked.status == missing.status, who
        assert asked.status < 500
        assert _without(asked, town.ids) == _without(missing, nowhere), who
        if "{" in name and not CELLS[name].makes:
            assert asked.status in {401, 403, 404}, who
        if who == "a token that lies":
            assert asked.status == 401
        told = SECRETS.findall(_without(asked, town.ids)) if asked.status != 401 else []
        assert not told, who
    assert await _state(town.house.api, town.ids["run"]) == before


@pytest.mark.parametrize("name", sorted(CELLS))
async def test_the_same_question_is_answered_at_home(town: Town, name: str) -> None:
    stream = {"stream": "progress"} if name.endswith("{run}/{stream}") else {}
    said = await town.ask(name, KEY, {**town.ids, **stream}, head="GET" in name)

    assert said.status == CELLS[name].own


def _without(said: Said, ids: Mapping[str, str]) -> str:
    """Return the body without what the question has named, and without what is new each time."""
    text = said.body.decode()
    for value in ids.values():
        text = text.replace(value, "ID")
    text = re.sub(r"(expires|signature)=\w+", "", text)
    if said.status == 200 and '"token"' in text:
        return "a token"
    if said.status == 200 and ('"secret"' in text or '"standing"' in text):
        return "its own keys"
    if said.status == 200 and '"url"' in text:
        return "its own waitpoint"
    return text


async def test_what_is_made_in_an_environment_is_of_it(town: Town) -> None:
    run = town.ids["run"]
    body = json.dumps({"scopes": [f"read:runs:{run}", "admin"]}).encode()
    made = await town.house.ask("POST", "/api/v1/auth/public-tokens", body, key=OTHER_KEY)
    token = str(made.json["token"])
    assert (await town.house.ask("GET", f"/api/v3/runs/{run}", key=token)).status == 404

    made = await town.house.ask("POST", "/api/headrace/v1/keys", b"{}", key=OTHER_KEY)
    assert cast("dict[str, object]", made.json["key"])["env"] == "prod"
    secret = str(made.json["secret"])
    assert secret.startswith("tr_prod_")
    assert (await town.house.ask("GET", f"/api/v3/runs/{run}", key=secret)).status == 404
    listed = await town.house.ask("GET", "/api/headrace/v1/keys", key=secret)
    assert "canary" not in listed.body.decode()


async def test_idempotency_keys_are_of_an_environment(town: Town) -> None:
    other = town.house.engine.at(PROD)
    await other.register(
        Registration(
            version="q",
            tasks=(TaskSpec(id="publish"),),
            streams=(StreamSpec(name="notes", inward=True),),
        )
    )
    bodies = (b'{"payload":1,"options":{"idempotencyKey":"k"}}', b'{"payload":2}')
    for body in bodies:
        ids = [
            (await town.house.ask(
                "POST", "/api/v1/tasks/publish/trigger", body, key=key,
                x_trigger_request_idempotency_key="5f0f9d2e-0000-4000-8000-000000000000",
            )).json["id"]
            for key in (KEY, OTHER_KEY)
        ]  # fmt: skip
        assert ids[0] != ids[1]
