"""Who may call what: every route against every kind of credential, and two environments."""

import re
from collections.abc import MutableMapping, Sequence
from typing import cast

import pytest

from headrace.backends.memory import open_memory
from headrace.engine import Keyring
from headrace.kernel.model import EnvId, Instant
from headrace.server.door import Door
from headrace.wire import tokens
from tests.server.house import DEV, KEY, OTHER_KEY, PROD, Counting, House, ring_of

SIGNED = {
    "PUT /api/headrace/v1/packets/{key}",
    "GET /api/headrace/v1/packets/{key}",
    "GET /api/headrace/v1/runs/{run}/packets/{part}",
}
CALLBACK = "POST /api/v1/waitpoints/tokens/{token}/callback/{proof}"
"""Its address is the credential."""
SECRET_ONLY = {
    *SIGNED,
    CALLBACK,
    "POST /api/v1/waitpoints/tokens",
    "GET /api/v1/waitpoints/tokens",
    "GET /api/v1/waitpoints/tokens/{token}",
    "POST /api/v1/runs/{run}/input-streams/wait",
    "GET /api/v1/runs/{run}/result",
    "POST /api/v1/runs/{run}/replay",
    "POST /api/v1/runs/{run}/reschedule",
    "POST /api/v1/runs/{run}/tags",
    "GET /api/v1/runs/{run}/metadata",
    "PUT /api/v1/runs/{run}/metadata",
    "PUT /api/v2/packets/{key}",
    "GET /api/v1/packets/{key}",
    "POST /api/v1/auth/jwt/claims",
    "POST /api/headrace/v1/registrations",
    "GET /api/headrace/v1/registrations",
    "GET /api/headrace/v1/worker",
    "POST /api/headrace/v1/runs/{run}/unblock",
    "POST /api/headrace/v1/runs/{run}/restart",
    "POST /api/headrace/v1/runs/{run}/accept",
    "POST /api/v1/auth/public-tokens",
    "GET /api/headrace/v1/keys",
    "POST /api/headrace/v1/keys",
    "POST /api/headrace/v1/keys/{key}/revoke",
    "POST /api/headrace/v1/keys/{key}/rotate",
    "PUT /realtime/v1/streams/{run}/{target}/{stream}",
    "POST /realtime/v1/streams/{run}/{target}/{stream}",
    "HEAD /realtime/v1/streams/{run}/{target}/{stream}",
    "POST /realtime/v1/streams/{run}/{target}/{stream}/append",
}
OPEN = {"GET /health", "GET /openapi.json"}


def filled(path: str, **params: str) -> str:
    """Fill a path's parameters in."""
    return re.sub(r"{(\w+)}", lambda found: params.get(found[1], "x"), path)


async def test_every_route_but_the_open_ones_asks_who_it_is(home: House) -> None:
    names: set[str] = set()
    for route in home.door.routes:
        said = await home.ask(route.method, filled(route.path), key="")
        if said.status == 200:
            names.add(route.name)
        else:
            assert said.status == 401
            if route.method != "HEAD":
                missing = "signature" if route.name in SIGNED else "Invalid or Missing API key"
                missing = "hash doesn't match" if route.name == CALLBACK else missing
                assert missing in str(said.json["error"])
    assert names == OPEN


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer", "Bearer ", f"Basic {KEY}", KEY, f"Bearer {KEY}x", f"Bearer x{KEY}",
        f"Bearer {KEY[:-1]}", "Bearer a.b.c", "Bearer ..", "Bearer \u00e9", f"Bearer {KEY} {KEY}",
        "Bearer " + "x" * 9_000, "Bearer null", f"Token {KEY}",
    ],
)  # fmt: skip
async def test_what_is_no_key_opens_nothing(home: House, authorization: str) -> None:
    said = await home.ask("GET", "/api/v1/runs", key="", authorization=authorization)

    assert said.status == 401
    assert KEY not in said.body.decode()
    assert said.json["code"] == "unauthorized"


@pytest.mark.parametrize("authorization", [f"bearer {KEY}", f"BEARER {KEY}", f"Bearer  {KEY}"])
async def test_the_scheme_may_be_written_in_any_case(home: House, authorization: str) -> None:
    assert (
        await home.ask("GET", "/api/v1/runs", key="", authorization=authorization)
    ).status == 200


async def test_nothing_is_looked_up_for_a_caller_who_is_not_known() -> None:
    class Nobody:
        def at(self, env: EnvId, *, trusted: bool = True) -> object:
            raise AssertionError(f"looked up in {env}, {trusted}")

    asked: list[tuple[str, int]] = []

    async def never() -> bool:
        raise AssertionError

    for key, status in ((b"", 401), (b"Bearer wrong", 401), (b"Bearer a.b.c", 401)):
        door = Door(
            Nobody(),  # type: ignore[arg-type]  # must never be asked
            await _ring(),
            clock=_Clock(),
            chance=Counting(),
            ready=never,
        )
        for route in door.routes:
            if route.name not in {*OPEN, CALLBACK}:
                said = await _asked(door, route.method, filled(route.path), key)
                asked.append((route.name, said))
                assert said == status
    assert len(asked) > 30


async def test_a_token_without_the_scope_is_refused_whether_or_not_there_is_such_a_run(
    home: House,
) -> None:
    run = await home.run()
    for route in home.door.routes:
        if route.name in OPEN:
            continue
        for place in (run, "run_nobody"):
            path = filled(route.path, run=place, stream="notes", task="publish")
            said = await home.ask(route.method, path, b"{}" if route.takes else None,
                                  key=home.token("read:batch:x", "write:sessions"))  # fmt: skip
            expected = 401 if route.name in SECRET_ONLY else 403
            assert (route.name, said.status) == (route.name, expected)
            if expected == 403:
                assert said.json["error"] == "Unauthorized"
                assert said.json["code"] == "unauthorized"
                assert said.json["param"] == "access_token"
                assert said.json["type"] == "authorization"


async def test_not_even_admin_tokens_do_what_takes_a_secret_key(home: House) -> None:
    for route in home.door.routes:
        if route.name in SECRET_ONLY:
            said = await home.ask(route.method, filled(route.path), key=home.token("admin"))
            assert (route.name, said.status) == (route.name, 401)


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        (["read:runs:{run}"], 200),
        (["read:runs"], 200),
        (["read:all"], 200),
        (["admin"], 200),
        (["*:all"], 200),
        (["read:tasks:publish"], 200),
        (["read:tags:user:7"], 200),
        (["read:tags:user:8", "read:tasks:publish"], 200),
        (["read:tags:user:8"], 403),
        (["read:tasks:count"], 403),
        (["read:runs:run_other"], 403),
        (["write:runs:{run}"], 403),
        (["read:inputStreams:{run}"], 403),
        (["read"], 403),
        ([], 403),
    ],
)
async def test_who_may_read_a_run(home: House, scopes: Sequence[str], status: int) -> None:
    body = b'{"payload":1,"options":{"tags":["user:7"]}}'
    run = str((await home.ask("POST", "/api/v1/tasks/publish/trigger", body)).json["id"])
    token = home.token(*(scope.replace("{run}", run) for scope in scopes))

    for path in (f"/api/v3/runs/{run}", f"/realtime/v1/streams/{run}/progress",
                 f"/api/headrace/v1/runs/{run}/events"):  # fmt: skip
        assert (await home.ask("HEAD", path, key=token)).status == status


@pytest.mark.parametrize(
    ("scopes", "approval", "signed"),
    [
        (["write:inputStreams:{run}"], 200, 403),
        (["write:inputStreams"], 200, 403),
        (["write:all"], 200, 403),
        (["admin"], 200, 403),
        (["write:inputStreams:{run}:approval"], 200, 403),
        (["write:inputStreams:{run}:signed"], 403, 200),
        (["*:inputStreams:{run}:signed"], 403, 200),
        (["write:inputStreams:{run}", "write:inputStreams:{run}:signed"], 200, 200),
        (["write:inputStreams:{run}:"], 403, 403),
        (["write:inputStreams:run_other"], 403, 403),
        (["read:inputStreams:{run}"], 403, 403),
        (["write:runs:{run}"], 403, 403),
    ],
)
async def test_who_may_send(home: House, scopes: Sequence[str], approval: int, signed: int) -> None:
    run = await home.run()
    token = home.token(*(scope.replace("{run}", run) for scope in scopes))
    body = b'{"data":{"approved":true}}'
    path = f"/realtime/v1/streams/{run}/input"

    assert (await home.ask("POST", f"{path}/approval", body, key=token)).status == approval
    assert (await home.ask("POST", f"{path}/signed", body, key=token)).status == signed
    assert (await home.ask("POST", f"{path}/signed", body)).status == 200


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        (["write:runs:{run}"], 200),
        (["write:tasks:publish"], 200),
        (["write:tags:user:7"], 403),
        (["read:runs:{run}"], 403),
    ],
)
async def test_who_may_cancel(home: House, scopes: Sequence[str], status: int) -> None:
    run = await home.run()
    token = home.token(*(scope.replace("{run}", run) for scope in scopes))

    assert (await home.ask("POST", f"/api/v2/runs/{run}/cancel", key=token)).status == status
    cancelled = (await home.api.retrieve(run)).is_cancelled
    assert cancelled == (status == 200)


@pytest.mark.parametrize(
    ("scopes", "query", "status"),
    [
        (["read:runs"], "", 200),
        (["read:tasks"], "", 200),
        (["read:runs:run_1"], "", 403),
        (["read:tasks:publish"], "", 403),
        (["read:tasks:publish"], "filter[taskIdentifier]=publish", 200),
        (["read:tasks:publish"], "filter[taskIdentifier]=publish,count", 403),
        (["read:tasks:publish"], "filter[taskIdentifier]=publish,", 403),
        (["read:tasks:publish"], "filter[taskIdentifier]=", 403),
        (["read:tasks:publish", "read:tasks:count"], "filter[taskIdentifier]=publish,count", 200),
        (
            ["read:tasks:publish"],
            "filter[taskIdentifier]=count&filter[taskIdentifier]=publish",
            400,
        ),
        (
            ["read:tasks:publish"],
            "filter[taskIdentifier]=publish&filter[taskIdentifier]=count",
            403,
        ),
    ],
)
async def test_who_may_list(home: House, scopes: Sequence[str], query: str, status: int) -> None:
    said = await home.ask("GET", f"/api/v1/runs?{query}", key=home.token(*scopes))

    assert said.status == status


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        (["trigger:tasks:publish"], 200),
        (["trigger:tasks"], 200),
        (["trigger:tasks:count"], 403),
        (["batchTrigger:tasks:publish"], 403),
        (["write:tasks:publish"], 403),
    ],
)
async def test_who_may_trigger(home: House, scopes: Sequence[str], status: int) -> None:
    said = await home.ask("POST", "/api/v1/tasks/publish/trigger", b"{}", key=home.token(*scopes))

    assert said.status == status


async def test_a_single_use_token_is_not_taken_for_one_of_many_uses(home: House) -> None:
    token = tokens.mint(KEY, DEV, ["trigger:tasks"], home.clock.now(), single_use=True)
    said = [
        (await home.ask("POST", f"/api/v1/tasks/{task}/trigger", b"{}", key=token)).status
        for task in ("publish", "publish", "count")
    ]

    assert said[:2] == [200, 422]
    assert said[2] == 422


async def test_the_other_environment_sees_nothing(home: House) -> None:
    run = await home.run()
    for method, path, body in (
        ("GET", f"/api/v3/runs/{run}", None),
        ("GET", f"/api/v1/runs/{run}/result", None),
        ("POST", f"/api/v2/runs/{run}/cancel", None),
        ("GET", f"/realtime/v1/streams/{run}/progress", None),
        ("GET", f"/realtime/v1/streams/{run}/input/notes", None),
        ("GET", f"/api/headrace/v1/runs/{run}/events", None),
        ("POST", f"/realtime/v1/streams/{run}/input/notes", b'{"data":1}'),
        ("POST", "/api/v1/tasks/publish/trigger", b"{}"),
        ("GET", "/api/headrace/v1/registrations", None),
    ):
        foreign = tokens.mint(OTHER_KEY, PROD, ["admin"], home.clock.now())
        assert (await home.ask(method, path, body, key=OTHER_KEY)).status == 404, path
        said = await home.ask(method, path, body, key=foreign)
        assert said.status in {401, 404}, path
    assert (await home.ask("GET", "/api/v1/runs", key=OTHER_KEY)).json["data"] == []
    claimed = tokens.mint(OTHER_KEY, DEV, ["admin"], home.clock.now())
    assert (await home.ask("GET", f"/api/v3/runs/{run}", key=claimed)).status == 401
    assert not (await home.api.retrieve(run)).is_cancelled


async def test_a_key_ring_tells_nothing_of_its_keys() -> None:
    ring = await _ring()
    holders = [ring.find(key) for key in (KEY, OTHER_KEY)]

    assert [holder and holder.env for holder in holders] == [DEV, PROD]
    assert (ring.find(""), ring.find(KEY + "\ud800"), ring.of(EnvId("nobody"))) == (None, None, [])
    assert KEY not in repr(ring) + repr(holders)


async def _asked(door: Door, method: str, path: str, authorization: bytes) -> int:
    """Ask the app itself, and return the status."""
    said: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: MutableMapping[str, object]) -> None:
        if message["type"] == "http.response.start":
            said.append(cast("int", message["status"]))

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"authorization", authorization)],
    }
    await door(scope, receive, send)
    return said[0]


async def _ring() -> Keyring:
    async with open_memory() as stores:
        return ring_of(stores, _Clock())


class _Clock:
    def now(self) -> Instant:
        return Instant(0)

    async def sleep_until(self, moment: Instant) -> None:
        raise AssertionError(moment)
