"""Tokens over HTTP: who may make, see and complete them, and the address that needs no key."""

from __future__ import annotations

import re

import msgspec
import pytest

from headrace.engine import Keyring, open_engine
from headrace.server.tokens import Completion
from headrace.wire.keys import KeyOrder, Rotation
from headrace.wire.tokenviews import TOKEN_DATA, TOKEN_ORDER, TokenOrder, TokenQuery
from headrace.wire.vault import Vault
from tests.server.house import DEV, OTHER_KEY, PROD, Counting, House, Said

TOKENS = "/api/v1/waitpoints/tokens"
ADDRESS = re.compile(
    r"(http://127\.0\.0\.1:\d+)(/api/v1/waitpoints/tokens/(\w+)/callback/[0-9a-f]{64})"
)


async def made(home: House, body: bytes = b"{}", **headers: str) -> Said:
    """Make a token with a secret key."""
    said = await home.ask("POST", TOKENS, body, **headers)
    assert said.status == 200
    return said


async def value(home: House, token: object) -> object:
    return msgspec.to_builtins(await home.api.retrieve_token(str(token))).get("output")


async def test_a_token_comes_with_what_a_browser_needs_to_complete_it(home: House) -> None:
    said = await made(home, b'{"timeout":"1h","tags":["a"]}')
    assert set(said.json) == {"id", "isCached", "url"}
    assert said.json["isCached"] is False
    assert msgspec.json.decode(said.headers["x-trigger-jwt-claims"]) == {"sub": DEV, "pub": True}
    token = said.headers["x-trigger-jwt"]
    path = f"{TOKENS}/{said.json['id']}/complete"
    done = await home.ask("POST", path, b'{"data":{"yes":1}}', key=token)
    assert (done.status, done.body) == (200, b'{"success":true}')
    assert await value(home, said.json["id"]) == '{"yes":1}'
    other = (await made(home)).json["id"]
    assert (await home.ask("POST", f"{TOKENS}/{other}/complete", b"{}", key=token)).status == 403


async def test_a_date_is_a_timeout_too(home: House) -> None:
    said = await made(home, b'{"timeout":"2030-01-01T00:00:00.000Z"}')
    shown = await home.ask("GET", f"{TOKENS}/{said.json['id']}")
    assert (shown.json["timeoutAt"], shown.json["status"]) == (
        "2030-01-01T00:00:00.000Z",
        "WAITING",
    )


async def test_the_address_completes_it_without_a_key(home: House) -> None:
    said = await made(home)
    address = ADDRESS.fullmatch(str(said.json["url"]))
    assert address is not None
    assert (address[1], address[3]) == (home.url, said.json["id"])
    for body in (b'{"paid":true}', b'{"paid":false}'):
        done = await home.ask("POST", address[2], body, key="")
        assert (done.status, done.body) == (200, b'{"success":true}')
    shown = await home.ask("GET", f"{TOKENS}/{said.json['id']}")
    assert (shown.json["status"], shown.json["output"]) == ("COMPLETED", '{"paid":true}')
    assert shown.json["url"] == said.json["url"]


@pytest.mark.parametrize("body", [b"", b"paid=true", b"{", b'{"a":1,"a":2}', b"\xff"])
async def test_what_is_no_json_calls_back_with_nothing(home: House, body: bytes) -> None:
    said = await made(home)
    path = str(said.json["url"]).removeprefix(home.url)
    assert (await home.ask("POST", path, body, key="")).status == 200
    assert await value(home, said.json["id"]) == "{}"


@pytest.mark.parametrize(
    "proof",
    ["0" * 64, "z" * 64, "0" * 63, "0" * 65, "unknown", "%00", "Z" * 64, "\u0660" * 64],
)
async def test_a_wrong_address_tells_nothing(home: House, proof: str) -> None:
    token = (await made(home)).json["id"]
    there = await home.ask("POST", f"{TOKENS}/{token}/callback/{proof}", b"1", key="")
    nowhere = await home.ask("POST", f"{TOKENS}/waitpoint_1/callback/{proof}", b"1", key="")
    assert there.status == 401
    assert there.json["error"] == "Invalid URL, hash doesn't match"
    assert (nowhere.status, nowhere.body) == (there.status, there.body)
    assert await value(home, token) is None


async def test_the_address_of_one_token_is_not_that_of_another(home: House) -> None:
    first, second = (await made(home)).json, (await made(home)).json
    proof = str(first["url"]).rpartition("/")[2]
    said = await home.ask("POST", f"{TOKENS}/{second['id']}/callback/{proof}", b"1", key="")
    assert said.status == 401
    assert str(second["url"]).rpartition("/")[2] != proof


async def test_an_address_outlives_the_keys_and_even_the_master_key(home: House) -> None:
    order = TokenOrder(idempotency_key="k")
    made_first = await home.api.create_token(order)
    key = await home.api.create_key(KeyOrder())
    rotated = await home.api.rotate_key(key.key.id, Rotation(grace="0s"))
    again = await made(home, b'{"idempotencyKey":"k"}', key=rotated.secret)
    assert str(again.json["url"]) == home.url + made_first.url

    vault = Vault(b"another master key")
    ring = Keyring(home.stores.credentials, vault, home.clock)
    async with open_engine(home.stores, Counting(), keyring=ring) as other:
        assert (await other.at(DEV).create_token(order)).url.endswith("/unknown")
        proof = made_first.url.rpartition("/")[2]
        await other.call_back(made_first.id, proof, b'"paid"')
    assert await value(home, made_first.id) == '"paid"'


async def test_only_a_hash_of_the_address_is_kept(home: House) -> None:
    said = await made(home)
    proof = str(said.json["url"]).rpartition("/")[2]
    (kept,) = (await home.api.list_tokens(TokenQuery())).data
    stored = await home.stores.waitpoints.load(kept.id)  # type: ignore[arg-type] # it is one
    assert stored is not None
    assert bytes.fromhex(proof) != stored.callback
    assert proof not in repr(stored)


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ("write:waitpoints:{}", 200),
        ("write:waitpoints", 200),
        ("write:all", 200),
        ("*:waitpoints:{}", 200),
        ("admin", 200),
        ("read:waitpoints:{}", 403),
        ("write:waitpoints:other", 403),
        ("write:runs:{}", 403),
        ("write:inputStreams", 403),
        ("admin:waitpoints", 403),
        ("write", 403),
        ("", 403),
    ],
)
async def test_a_public_token_completes_what_it_names(home: House, scope: str, status: int) -> None:
    token = (await made(home)).json["id"]
    key = home.token(scope.format(token))
    said = await home.ask("POST", f"{TOKENS}/{token}/complete", b'{"data":1}', key=key)
    assert said.status == status
    assert said.headers["access-control-allow-origin"] == "*"
    assert await value(home, token) == ("1" if status == 200 else None)


async def test_the_scope_is_asked_before_the_token(home: House) -> None:
    path = f"{TOKENS}/waitpoint_nobody/complete"
    key = home.token("write:waitpoints:waitpoint_other")
    assert (await home.ask("POST", path, b"{}", key=key)).status == 403
    said = await home.ask("POST", path, b"{}", key=home.token("write:waitpoints:waitpoint_nobody"))
    assert (said.status, said.headers["x-should-retry"]) == (404, "false")


async def test_public_tokens_neither_make_nor_see_any(home: House) -> None:
    token = (await made(home)).json["id"]
    for method, path in (("POST", TOKENS), ("GET", TOKENS), ("GET", f"{TOKENS}/{token}")):
        body = b"{}" if method == "POST" else None
        said = await home.ask(method, path, body, key=home.token("admin"))
        assert said.status == 401
        assert said.headers["access-control-allow-origin"] == "*"


async def test_environments_are_apart(home: House) -> None:
    token = (await made(home, b'{"idempotencyKey":"k"}')).json["id"]
    shown = await home.ask("GET", f"{TOKENS}/{token}", key=OTHER_KEY)
    nobody = await home.ask("GET", f"{TOKENS}/waitpoint_nobody", key=OTHER_KEY)
    assert (shown.status, nobody.status) == (404, 404)
    assert shown.body.replace(str(token).encode(), b"") == nobody.body.replace(
        b"waitpoint_nobody", b""
    )
    path = f"{TOKENS}/{token}/complete"
    assert (await home.ask("POST", path, b'{"data":1}', key=OTHER_KEY)).status == 404
    assert (await home.ask("GET", TOKENS, key=OTHER_KEY)).json["data"] == []
    theirs = await home.ask("POST", TOKENS, b'{"idempotencyKey":"k"}', key=OTHER_KEY)
    assert theirs.json["id"] != token
    assert (await home.engine.at(PROD).retrieve_token(str(theirs.json["id"]))).status == "WAITING"
    assert await value(home, token) is None


async def test_a_lost_answer_makes_no_second_token(home: House) -> None:
    retried = {"x_trigger_request_idempotency_key": "8b2c0a52-6a3e-4c3f-9b52-0d5f3b0f8a11"}
    first = await made(home, b"{}", **retried)
    again = await made(home, b"{}", **retried)
    assert (again.json["id"], again.json["isCached"]) == (first.json["id"], False)
    keyed = b'{"idempotencyKey":"k","idempotencyKeyTTL":"60s"}'
    one, two = await made(home, keyed), await made(home, keyed)
    assert (two.json["id"], two.json["isCached"]) == (one.json["id"], True)
    home.clock.advance(60_000)
    assert (await made(home, keyed)).json["id"] != one.json["id"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"timeout":"5 minutes"}', 400),
        (b'{"timeout":-1}', 400),
        (b'{"tags":[1]}', 400),
        (b'{"tags":[%s]}' % b",".join(b'"%d"' % n for n in range(11)), 422),
        (b'{"idempotencyKey":1}', 400),
        (b'{"tags":["%s"]}' % (b"x" * TOKEN_ORDER), 413),
    ],
)
async def test_what_is_wrong_with_an_order_is_said(home: House, body: bytes, status: int) -> None:
    said = await home.ask("POST", TOKENS, body)
    assert said.status == status
    assert said.json["error"]
    assert (await home.ask("GET", TOKENS)).json["data"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"1", 400),
        (b'{"data":NaN}', 400),
        (b'{"data":"\\ud800"}', 400),
        (b'{"data":"%s"}' % (b"x" * TOKEN_DATA), 413),
    ],
)
async def test_what_is_wrong_with_a_value_is_said(home: House, body: bytes, status: int) -> None:
    token = (await made(home)).json["id"]
    said = await home.ask("POST", f"{TOKENS}/{token}/complete", body)
    assert said.status == status
    assert await value(home, token) is None


@pytest.mark.parametrize(
    ("body", "output"),
    [(b"{}", None), (b"", None), (b'{"data":null}', "null"), (b'{"data":0}', "0")],
)
async def test_no_value_is_a_completion_too(home: House, body: bytes, output: str | None) -> None:
    token = (await made(home)).json["id"]
    assert (await home.ask("POST", f"{TOKENS}/{token}/complete", body)).status == 200
    shown = await home.ask("GET", f"{TOKENS}/{token}")
    assert (shown.json["status"], shown.json.get("output")) == ("COMPLETED", output)


async def test_who_is_late_is_told_that_all_is_well_and_changes_nothing(home: House) -> None:
    token = (await made(home, b'{"timeout":"1s"}')).json["id"]
    home.clock.advance(1_000)
    assert (await home.ask("POST", f"{TOKENS}/{token}/complete", b'{"data":1}')).status == 200
    shown = await home.ask("GET", f"{TOKENS}/{token}")
    assert (shown.json["status"], shown.json["outputIsError"]) == ("TIMED_OUT", True)
    assert "message" in msgspec.json.decode(str(shown.json["output"]), type=dict[str, str])


async def test_lists_go_page_by_page(home: House) -> None:
    ids = [(await made(home, b'{"tags":["t%d"]}' % n)).json["id"] for n in range(3)]
    page = await home.ask("GET", f"{TOKENS}?page[size]=2")
    data = msgspec.convert(page.json["data"], list[dict[str, object]])
    assert [one["id"] for one in data] == ids[:0:-1]
    assert page.json["pagination"] == {"next": ids[1]}
    assert str(data[0]["url"]).startswith(f"{home.url}{TOKENS}/{ids[2]}/callback/")
    for query, status in (
        ("filter[status]=WAITING,COMPLETED&filter[tags]=t1,t2", 200),
        ("filter[createdAt][period]=1h&filter[createdAt][to]=2100-01-01", 200),
        ("filter[createdAt][from]=1", 200),
        ("filter[status]=DONE", 400),
        ("filter[createdAt][from]=yesterday", 400),
        ("filter[color]=red", 400),
        ("page[size]=0", 400),
    ):
        assert (await home.ask("GET", f"{TOKENS}?{query}")).status == status, query


async def test_the_address_is_that_by_which_the_server_was_reached(home: House) -> None:
    said = await made(home, host="jobs.example.com", x_forwarded_proto="https")
    assert str(said.json["url"]).startswith(f"https://jobs.example.com{TOKENS}/waitpoint_")


def test_a_completion_without_data_has_none() -> None:
    assert bytes(Completion().data) == b""
