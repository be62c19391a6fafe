"""Secret keys over HTTP: what a restricted one may do, and tokens that end with their keys."""

from __future__ import annotations

import json
from typing import cast

import pytest

from headrace.wire.keys import KeyOrder
from tests.server.house import KEY, House

KEYS = "/api/headrace/v1/keys"
TOKENS = "/api/v1/auth/public-tokens"


async def made(home: House, *scopes: str) -> str:
    """Make a key past the door."""
    return (await home.api.create_key(KeyOrder(scopes=list(scopes) or None))).secret


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (["admin"], "trigger retrieve list cancel send result unblock register worker claims"),
        (["*:all"], "trigger retrieve list cancel send result unblock register worker claims"),
        (["trigger:tasks"], "trigger claims"),
        (["trigger:tasks:publish"], "trigger claims"),
        (["trigger:tasks:count"], "claims"),
        (["read:runs"], "retrieve list result claims"),
        (["write:runs"], "cancel unblock claims"),
        (["write:inputStreams"], "send claims"),
        (["read:all", "write:all"], "retrieve list cancel send result unblock claims"),
        (["admin:runs", "nonsense"], "claims"),
    ],
)
async def test_what_a_restricted_key_may_do(home: House, scopes: list[str], allowed: str) -> None:
    run, key = await home.run(), await made(home, *scopes)
    asked = {
        "trigger": ("POST", "/api/v1/tasks/publish/trigger", b"{}"),
        "retrieve": ("GET", f"/api/v3/runs/{run}", None),
        "list": ("GET", "/api/v1/runs", None),
        "send": ("POST", f"/realtime/v1/streams/{run}/input/signed", b'{"data":1}'),
        "result": ("GET", f"/api/v1/runs/{run}/result", None),
        "unblock": ("POST", f"/api/headrace/v1/runs/{run}/unblock", None),
        "cancel": ("POST", f"/api/v2/runs/{run}/cancel", None),
        "register": ("GET", "/api/headrace/v1/registrations", None),
        "worker": ("GET", "/api/headrace/v1/worker", None),
        "claims": ("POST", "/api/v1/auth/jwt/claims", None),
        "keys": ("GET", KEYS, None),
        "a key": ("POST", KEYS, b"{}"),
    }
    told = {name: await home.ask(*question, key=key) for name, question in asked.items()}

    assert {name for name, said in told.items() if said.status != 403} == set(allowed.split())
    assert {said.status for said in told.values()} <= {200, 400, 403, 404, 422}


async def test_a_key_is_made_listed_rotated_and_revoked(home: House) -> None:
    answer = await home.ask("POST", KEYS, b'{"name":"shop"}')
    secret, view = str(answer.json["secret"]), cast("dict[str, str]", answer.json["key"])
    assert (await home.ask("GET", "/api/v1/runs", key=secret)).status == 200

    again = await home.ask("POST", f"{KEYS}/{view['id']}/rotate", b'{"grace":"1h"}')
    other = str(again.json["secret"])
    for key in (secret, other):
        assert (await home.ask("GET", "/api/v1/runs", key=key)).status == 200
    home.clock.advance(3_600_000)
    statuses = [(await home.ask("GET", "/api/v1/runs", key=key)).status for key in (secret, other)]
    assert statuses == [401, 200]

    successor = cast("dict[str, str]", again.json["key"])["id"]
    revoked = await home.ask("POST", f"{KEYS}/{successor}/revoke", key=other)
    assert (revoked.status, revoked.json["standing"]) == (200, "ended")
    assert (await home.ask("GET", "/api/v1/runs", key=other)).status == 401
    listed = (await home.ask("GET", KEYS)).body.decode()
    assert secret not in listed
    assert other not in listed
    assert KEY not in listed


async def test_a_revoked_key_takes_its_tokens_with_it(home: House) -> None:
    """Tokens that were verified a moment ago are remembered, but not longer than their keys."""
    from headrace.wire import tokens  # noqa: PLC0415
    from tests.server.house import DEV  # noqa: PLC0415

    made_ = await home.api.create_key(KeyOrder())
    token = tokens.mint(made_.secret, DEV, ["read:runs"], home.clock.now())
    assert (await home.ask("GET", "/api/v1/runs", key=token)).status == 200
    await home.api.revoke_key(made_.key.id)
    assert (await home.ask("GET", "/api/v1/runs", key=token)).status == 401


async def test_the_given_key_is_not_the_servers_to_end(home: House) -> None:
    for verb, body in (("revoke", None), ("rotate", b"{}")):
        said = await home.ask("POST", f"{KEYS}/given/{verb}", body)
        assert (said.status, "HEADRACE_SECRET_KEY" in str(said.json["hint"])) == (422, True)
    assert (await home.ask("GET", KEYS)).status == 200


async def test_a_signed_token_permits_what_was_asked_for(home: House) -> None:
    run = await home.run()
    body = {"scopes": [f"write:inputStreams:{run}:signed"], "expirationTime": "1h"}
    said = await home.ask("POST", TOKENS, json.dumps(body).encode())
    token = str(said.json["token"])

    paths = [f"/realtime/v1/streams/{run}/input/{stream}" for stream in ("signed", "notes")]
    told = [(await home.ask("POST", path, b'{"data":1}', key=token)).status for path in paths]
    assert told == [200, 403]
    assert (await home.ask("POST", TOKENS, b'{"scopes":["admin"]}', key=token)).status == 401
    home.clock.advance(3_600_000)
    assert (await home.ask("POST", paths[0], b'{"data":1}', key=token)).status == 401


@pytest.mark.parametrize(
    ("has", "asks", "denied"),
    [
        (["read:runs"], ["read:runs:run_1", "read:runs"], []),
        (["read:runs:run_1"], ["read:runs:run_1", "read:runs"], ["read:runs"]),
        (["read:runs"], ["write:runs:run_1", "read:tags:a"], ["write:runs:run_1", "read:tags:a"]),
        (["*:runs"], ["write:runs:run_1", "*:runs", "*:all"], ["*:all"]),
        (["read:all"], ["read:runs", "read:all:x", "*:all", "admin"], ["*:all", "admin"]),
        (["admin"], ["admin", "*:all", "read:runs"], []),
        (["admin:runs"], ["admin", "read:runs"], ["admin", "read:runs"]),
        (
            ["write:inputStreams:run_1"],
            ["write:inputStreams:run_1:approval", "write:inputStreams:run_12"],
            ["write:inputStreams:run_12"],
        ),
        (
            ["write:inputStreams:run_1:approval"],
            ["write:inputStreams:run_1", "write:inputStreams:run_1:approval2"],
            ["write:inputStreams:run_1", "write:inputStreams:run_1:approval2"],
        ),
    ],
)
async def test_a_restricted_key_gives_no_more_than_it_has(
    home: House, has: list[str], asks: list[str], denied: list[str]
) -> None:
    key = await made(home, *has)
    said = await home.ask("POST", TOKENS, json.dumps({"scopes": asks}).encode(), key=key)

    if not denied:
        assert said.status == 200
        return
    assert said.status == 403
    assert (said.json["code"], said.json["deniedScopes"]) == ("scopes_exceed_key_access", denied)


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "{}", '{"scopes":[]}', '{"scopes":"read:runs"}', '{"scopes":[1]}',
     '{"scopes":["r"],"uses":0}', '{"scopes":["r"],"uses":1.5}', '{"scopes":["r"],"uses":"1"}',
     '{"scopes":["r"],"expirationTime":"soon"}', '{"scopes":["r"],"expirationTime":"31d"}',
     '{"scopes":["r"],"expirationTime":null,"scopes":["admin"]}', '{"scopes":["r"],"actor":5}'],
)  # fmt: skip
async def test_what_is_no_order_is_refused(home: House, body: str) -> None:
    assert (await home.ask("POST", TOKENS, body.encode())).status == 400
