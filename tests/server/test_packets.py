"""Packets over HTTP: where they may be put, by whom, for how long."""

import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from msgspec import Raw

from headrace.kernel.model import EnvId
from headrace.testing.contracts.puppet import working
from headrace.wire.channel import Completed, Ended
from headrace.wire.keys import KeyOrder
from headrace.wire.views import TriggerOrder
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


# --- values of runs -------------------------------------------------------------------------------

LARGE = b'"' + b"x" * 200_000 + b'"'
OUTPUT = b"[" + b"1," * 100_000 + b"1]"


async def returned(home: House, output: bytes) -> str:
    """Start a run with a large payload, and let it return `output`."""
    run = (await home.api.trigger("publish", TriggerOrder(payload=Raw(LARGE)))).id
    async with working(home.api, "publish") as puppet:
        puppet.post(Completed(run, (await puppet.assigned(run)).epoch, output))
        await puppet.pushed(Ended, run)
    return run


def without_host(url: object) -> str:
    """Return what of a URL is asked of the house."""
    split = urlsplit(str(url))
    return f"{split.path}?{split.query}"


async def test_what_is_large_is_shown_by_its_url(home: House) -> None:
    run = await returned(home, OUTPUT)
    shown = (await home.ask("GET", f"/api/v3/runs/{run}")).json
    assert (shown["large"], "payload" in shown, "output" in shown) == (
        ["payload", "output"],
        False,
        False,
    )
    for part, body in (("payload", LARGE), ("output", OUTPUT)):
        path = without_host(shown[f"{part}PresignedUrl"])
        got = await home.ask("GET", path, key="")
        assert (got.status, got.body) == (200, body)
        assert got.headers["content-type"] == "application/json"
        found = await home.ask("GET", f"/api/v1/runs/{run}/packets/{part}")
        assert without_host(found.json["presignedUrl"]) == path
    said = (await home.ask("GET", f"/api/v1/runs/{run}/result")).json
    assert said["output"] == OUTPUT.decode()


async def test_what_is_not_large_is_shown_with_its_run(home: House) -> None:
    run = await returned(home, b"7")
    shown = (await home.ask("GET", f"/api/v3/runs/{run}")).json
    assert (shown["output"], shown["large"], "outputPresignedUrl" in shown) == (
        7,
        ["payload"],
        False,
    )
    found = await home.ask("GET", f"/api/v1/runs/{run}/packets/output")
    got = await home.ask("GET", without_host(found.json["presignedUrl"]), key="")
    assert got.body == b"7"


async def test_who_may_read_the_run_may_have_its_values(home: House) -> None:
    run = await returned(home, LARGE)
    path = f"/api/v1/runs/{run}/packets/output"
    for scope, status in (
        (f"read:runs:{run}", 200),
        ("read:tasks:publish", 200),
        ("read:runs:run_other", 403),
        (f"write:runs:{run}", 403),
    ):
        assert (scope, (await home.ask("GET", path, key=home.token(scope))).status) == (
            scope,
            status,
        )


@pytest.mark.parametrize("part", ["output", "metadata", "payload%2F..", "x"])
async def test_a_value_that_there_is_not_is_not_found(home: House, part: str) -> None:
    run = await home.run()
    said = await home.ask("GET", f"/api/v1/runs/{run}/packets/{part}")
    assert (said.status, said.headers["x-should-retry"]) == (404, "false")


async def test_a_url_of_one_value_opens_no_other(home: House) -> None:
    run = await returned(home, LARGE)
    shown = (await home.ask("GET", f"/api/v3/runs/{run}")).json
    url = urlsplit(str(shown["outputPresignedUrl"]))
    for path in (
        url.path.replace("output", "payload"),
        url.path.replace(run, "run_other"),
        f"/api/headrace/v1/packets/{run}%2Foutput",
    ):
        assert (path, (await home.ask("GET", f"{path}?{url.query}", key="")).status) == (path, 401)
    uploaded = await home.ask("PUT", f"/api/v2/packets/{run}%2Foutput")
    query = urlsplit(str(uploaded.json["presignedUrl"])).query
    assert (await home.ask("GET", f"{url.path}?{query}", key="")).status == 401
    home.clock.advance(HOUR_MS)
    assert (await home.ask("GET", f"{url.path}?{url.query}", key="")).status == 401


async def test_the_feed_names_what_is_large(home: House) -> None:
    run = await returned(home, LARGE)
    said = await home.ask("GET", f"/realtime/v1/runs/{run}?offset=-1")
    row = json.loads(said.body)[0]["value"]
    assert (row["outputType"], row["payloadType"]) == ("application/store", "application/store")
    assert (row["output"], row["payload"]) == (f"runs/{run}/output", f"runs/{run}/payload")
