"""Packets over HTTP: where they may be put, by whom, for how long."""

import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from headrace.kernel.model import EnvId
from headrace.wire.keys import KeyOrder
from tests.server.house import OTHER_KEY, House, Said

NAME = "trigger%2Fpacket_1%2Fpayload.json"
KEY_OF = "trigger/packet_1/payload.json"
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


async def room(home: House, name: str = NAME) -> str:
    """Return the URL by which a packet may be uploaded, without its host."""
    said = await home.ask("PUT", f"/api/v2/packets/{name}")
    assert said.status == 200
    assert said.json["storagePath"] == KEY_OF
    url = urlsplit(str(said.json["presignedUrl"]))
    assert f"{url.scheme}://{url.netloc}" == home.url
    return f"{url.path}?{url.query}"


async def put(home: House, path: str, body: bytes = b'{"json":7}') -> Said:
    """Upload a packet without any credentials."""
    return await home.ask("PUT", path, body, key="", content_type="application/super+json")


@pytest.mark.parametrize("name", [NAME, KEY_OF])
async def test_a_packet_is_put_named_and_got_as_the_official_client_does(
    home: House, name: str
) -> None:
    assert (await put(home, await room(home, name))).status == 200
    body = {"payload": KEY_OF, "options": {"payloadType": "application/store"}}
    started = await home.ask("POST", "/api/v1/tasks/count/trigger", json.dumps(body).encode())
    shown = (await home.ask("GET", f"/api/v3/runs/{started.json['id']}")).json
    assert shown["payload"] == 7
    said = await home.ask("GET", f"/api/v1/packets/{name}")
    url = urlsplit(str(said.json["presignedUrl"]))
    got = await home.ask("GET", f"{url.path}?{url.query}", key="")
    assert (got.status, got.body) == (200, b'{"json":7}')
    assert got.headers["content-type"] == "application/super+json"
    assert got.headers["access-control-allow-origin"] == "*"
    assert got.headers["x-content-type-options"] == "nosniff"


async def test_a_url_permits_nothing_else(home: House) -> None:
    path = await room(home)
    await put(home, path)
    url = urlsplit(path)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    later = str(int(query["expires"]) + 1)
    for changed in (
        {"signature": ""},
        {"signature": query["signature"][:-1]},
        {"signature": "é"},
        {"expires": later},
        {"expires": "x"},
        {"expires": "9" * 400},
        {"env": "prod"},
        {"env": "nowhere"},
    ):
        odd = f"{url.path}?{urlencode(query | changed)}"
        assert (changed, (await put(home, odd)).status) == (changed, 401)
    assert (await put(home, f"{url.path}x?{url.query}")).status == 401
    assert (await home.ask("GET", path, key="")).status == 401
    assert (await home.ask("GET", url.path)).status == 401


async def test_a_url_is_good_for_an_hour(home: House) -> None:
    path = await room(home)
    home.clock.advance(HOUR_MS - 1)
    assert (await put(home, path)).status == 200
    home.clock.advance(1)
    assert (await put(home, path)).status == 401


async def test_who_has_a_token_only_gets_no_url(home: House) -> None:
    for method, version in (("PUT", "v2"), ("GET", "v1")):
        path = f"/api/{version}/packets/{NAME}"
        assert (await home.ask(method, path, key=home.token("admin"))).status == 401


async def test_an_environment_without_a_root_key_signs_no_urls(home: House) -> None:
    api = home.engine.at(EnvId("staging"))
    root = await api.create_key(KeyOrder())
    restricted = await api.create_key(KeyOrder(scopes=["admin"]))
    path = f"/api/v2/packets/{NAME}"
    assert (await home.ask("PUT", path, key=restricted.secret)).status == 200

    await api.revoke_key(root.key.id)

    said = await home.ask("PUT", path, key=restricted.secret)
    assert said.status == 422
    assert "staging has no root key" in str(said.json["error"])


async def test_the_other_environment_has_packets_of_its_own(home: House) -> None:
    await put(home, await room(home))
    said = await home.ask("GET", f"/api/v1/packets/{NAME}", key=OTHER_KEY)
    assert (said.status, said.headers["x-should-retry"]) == (404, "false")


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/html", b"<script>", 400),
        ("", b"1", 400),
        ("application/json; charset=utf-8", b"1", 200),
        ("application/json", b"x" * 10_485_760, 200),
        ("application/json", b"x" * 10_485_761, 413),
    ],
)
async def test_what_is_no_packet_is_not_kept(
    home: House, kind: str, body: bytes, status: int
) -> None:
    path = await room(home)
    said = await home.ask("PUT", path, body, key="", content_type=kind)
    assert said.status == status
    assert (await home.ask("GET", f"/api/v1/packets/{NAME}")).status == (
        200 if status == 200 else 404
    )


@pytest.mark.parametrize("name", ["..%2Fx", "a%2F..%2Fb", "a%2F%2Fb", "%00", "a%20b"])
async def test_a_path_that_leads_elsewhere_is_refused(home: House, name: str) -> None:
    said = await home.ask("PUT", f"/api/v2/packets/{name}")
    assert said.status in {400, 404}


async def test_yesterdays_packets_are_forgotten(home: House) -> None:
    await put(home, await room(home))
    home.clock.advance(DAY_MS - 1)
    assert await home.stores.blobs.purge(home.clock.now(), 9) == 0
    home.clock.advance(1)
    assert await home.stores.blobs.purge(home.clock.now(), 9) <= 1
    assert (await home.ask("GET", f"/api/v1/packets/{NAME}")).status == 404
