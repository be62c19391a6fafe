"""Whatever is sent to whichever route: an answer that says whose fault it is, never a 5xx."""

import itertools
import random
import re
from urllib.parse import quote

import anyio
import pytest

from headrace.server.routes import Route
from headrace.server.signatures import Signed
from tests.server.house import KEY, PATIENCE_S, House

BODIES = [
    b"", b"{}", b"null", b"[]", b"0", b'""', b"{", b"\xff\xfe", b"\x00", b"NaN", b"[" * 100_000,
    b'{"a":' * 10_000, b'{"data":{}}', b'{"data":"\\u0000\\u001f"}', b'{"payload":{"__proto__":1}}',
    b'{"options":{"ttl":1e308}}', b'{"options":{"delay":1e308}}', b'{"options":{"delay":-1e308}}',
    b'{"options":{"ttl":99999999999999999999999999}}', b'{"options":{"maxAttempts":1e3}}',
    b'{"options":{"maxAttempts":999999999999999999999}}', b'{"options":{"tags":[""]}}',
    b'{"options":{"tags":["\\u0000"]}}', b'{"options":{"delay":"9999-12-31T23:59:59Z"}}',
    b'{"options":{"delay":"0001-01-01T00:00:00+23:59"}}',
    b'{"options":{"metadata":{"a":"\\u0000"}}}',
    b'{"options":{"idempotencyKey":"\\u0000"}}', b'{"options":{"maxDuration":-1}}',
    b'{"version":"1","tasks":[],"streams":[]}', b'{"version":5,"tasks":{},"streams":null}',
    b'{"version":"1","tasks":[{"id":""}],"streams":[]}',
    b'{"version":"1","tasks":[{"id":"a","schema":"!"}],"streams":[]}',
    b'{"version":"1","tasks":[{"id":"a","schema":"bm9uZQ=="}],"streams":[]}',
    b'{"version":"1","tasks":[],"streams":[{"name":"a\\nb","inward":true}]}',
    b'{"version":"1","tasks":[],"streams":[{"name":"a","inward":true,"schema":"eyJ0eXBlIjo1fQ=="}]}',
    b'{"version":"1","tasks":[{"id":"a","ttl_ms":-99999999999999999999}],"streams":[]}',
]  # fmt: skip
NAMES = [
    "notes", "run_nobody", "..", ".", "%", "\x00", "\n", "é", "\U0001f600", "a/b", "a b", "'", '"',
    "' OR 1=1 --", "%s", "{}", "<script>", "x" * 4_000, "<approval", ">progress", "\ud800",
    "-1", "0", "null", "*", "a:b", "\\", "input",
]  # fmt: skip
HEADERS = [
    {"content_type": "text/plain"},
    {"content_type": "x" * 500},
    {"last_event_id": "9" * 30, "timeout_seconds": "1e308"},
    {"idempotency_key": "\u00e9" * 500, "idempotency_key_ttl": "never"},
    {"idempotency_key": "k", "idempotency_key_ttl": "5m"},
    {"x_trigger_request_idempotency_key": "k" * 5_000},
    {"content_encoding": "br"},
    {"x_trigger_stream_start": "earliest", "timeout_seconds": "1"},
    {"x_trigger_api_version": "1999-01-01", "x_trigger_branch": "../../x"},
    {"cookie": "a=b; c", "range": "bytes=0-", "if_none_match": "*", "accept": "application/xml"},
]


def path_of(route: Route, names: dict[str, str]) -> str:
    """Fill a path in, percent-encoded."""
    return re.sub(
        r"{(\w+)}",
        lambda found: quote(names.get(found[1], "x").encode("utf-8", "surrogatepass"), safe=""),
        route.path,
    )


async def status_of(home: House, method: str, path: str, body: bytes | None, **more: str) -> int:
    """Ask; a stream of events is left as soon as it is open."""
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    headers["authorization"] = f"Bearer {KEY}"
    with anyio.fail_after(PATIENCE_S):
        async with home.http.request(
            method, home.url + path, data=body, headers=headers
        ) as response:
            assert response.headers["access-control-allow-origin"] == "*", path
            return response.status


async def test_every_body_for_every_route(home: House) -> None:
    run = await home.run()
    names = {"run": run, "stream": "approval", "task": "count"}
    seen: set[int] = set()
    for route, body in itertools.product(home.door.routes, BODIES):
        if route.method == "POST" and not route.path.endswith("/cancel"):
            status = await status_of(home, "POST", path_of(route, names), body)
            assert status < 500, (route.name, body[:60], status)
            seen.add(status)
    assert {200, 400, 422} <= seen


async def test_every_name_in_every_path(home: House) -> None:
    for route, name in itertools.product(home.door.routes, NAMES):
        for param in re.findall(r"{(\w+)}", route.path):
            names = {"run": "run_nobody", "stream": "notes", "task": "publish", param: name}
            status = await status_of(home, route.method, path_of(route, names), None)
            is_signed = isinstance(route.policy, Signed) or "{proof}" in route.path
            allowed = {401, 404} if is_signed else {200, 400, 404, 405, 422}
            assert status in allowed, (route.name, name[:20], status)


async def test_every_header_for_every_route(home: House) -> None:
    names = {"run": await home.run(), "stream": "progress", "task": "publish"}
    for route, headers in itertools.product(home.door.routes, HEADERS):
        path = path_of(route, names)
        status = await status_of(home, route.method, path, b'{"data":1}', **headers)
        assert status < 500, (route.name, headers, status)


@pytest.mark.parametrize(
    "query", ["?", "?&&&=", "?page[size]", "?page[after]=%00", "?filter[tag]=" + "x," * 2_000,
              "?page[after]='&page[before]=%ff", "?filter[taskIdentifier]=%F0%9F%98%80", "?%ff=%ff",
              "?page[size]=9999999999999999999999", "?" + "a=b&" * 1_500, "?page[after]=run_no"],
)  # fmt: skip
async def test_every_query(home: House, query: str) -> None:
    await home.run()
    for path in ("/api/v1/runs", "/health", "/api/v3/runs/run_nobody"):
        assert await status_of(home, "GET", path + query, None) < 500


async def test_requests_by_chance(home: House, seed: int) -> None:
    """Bodies that are nearly right: bytes of good ones taken out, doubled, or changed."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    run = await home.run()
    good = [
        (f"/realtime/v1/streams/{run}/input/approval", b'{"data":{"approved":true,"a":"\\u00e9"}}'),
        ("/api/v1/tasks/count/trigger", b'{"payload":1,"options":{"ttl":"5m","tags":["a"]}}'),
        (
            "/api/v1/tasks/publish/trigger",
            b'{"payload":"{\\"json\\":[1]}","options":{"payloadType":"application/super+json"}}',
        ),
    ]  # fmt: skip
    seen: set[int] = set()
    for _ in range(300):
        path, body = chance.choice(good)
        at = chance.randrange(len(body))
        crooked = chance.choice(
            [
                body[:at] + body[at + 1 :],
                body[:at] + body[at : at + 9] + body[at:],
                body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :],
            ]
        )
        status = await status_of(home, "POST", path, crooked)
        assert status < 500, crooked
        seen.add(status)
    assert {200, 400, 422} <= seen
