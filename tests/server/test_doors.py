"""Routing: what is where, what is not, and what every answer carries."""

import json
from typing import cast

import pytest

from headrace.errors import Mistake
from headrace.server.calls import Answer, Call
from headrace.server.openapi import document
from headrace.server.policy import AdminKey
from headrace.server.routes import Route, guarded
from headrace.wire import http
from tests.server.house import DEV, KEY, House


async def test_health_says_whether_a_trigger_would_succeed(home: House) -> None:
    well = await home.ask("GET", "/health", key="")
    home.ready[0] = False
    ill = await home.ask("GET", "/health", key="")

    assert (well.status, well.json) == (200, {"ok": True})
    assert (ill.status, ill.json) == (503, {"ok": False})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/nowhere"),
        ("GET", "/health/"),
        ("GET", "//health"),
        ("POST", "/api/v1/tasks//trigger"),
        ("POST", "/api/v1/tasks/publish/trigger/"),
        ("POST", "/api/v1/tasks/publish/more/trigger"),
        ("POST", "/realtime/v1/streams/run_1/input/"),
        ("POST", "/realtime/v1/streams//input/notes"),
        ("POST", "/realtime/v1/streams/run_1/input/notes/more"),
        ("DELETE", "/api/v3/runs"),
    ],
)
async def test_what_is_nowhere_is_not_found_and_not_worth_a_retry(
    home: House, method: str, path: str
) -> None:
    said = await home.ask(method, path)

    assert (said.status, said.json["code"]) == (404, "not_found")
    assert said.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/health", "GET, HEAD, OPTIONS"),
        ("GET", "/api/v1/tasks/publish/trigger", "POST, OPTIONS"),
        ("HEAD", "/api/v1/tasks/publish/trigger", "POST, OPTIONS"),
        ("DELETE", "/api/v3/runs/run_1", "GET, HEAD, OPTIONS"),
        ("PATCH", "/realtime/v1/streams/run_1/input/notes", "GET, HEAD, POST, OPTIONS"),
        ("PUT", "/api/headrace/v1/registrations", "GET, HEAD, POST, OPTIONS"),
        ("GET", "/realtime/v1/streams/run_1/self/notes", "PUT, POST, HEAD, OPTIONS"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    home: House, method: str, path: str, allow: str
) -> None:
    said = await home.ask(method, path, key="")

    assert (said.status, said.headers["allow"]) == (405, allow)
    assert said.headers["access-control-allow-origin"] == "*"


async def test_head_is_get_without_a_body(home: House) -> None:
    run = await home.run()
    paths = ["/health", f"/api/v3/runs/{run}", f"/realtime/v1/streams/{run}/progress"]
    for path in paths:
        said = await home.ask("HEAD", path)
        assert (said.status, said.body) == (200, b"")
    assert (await home.ask("HEAD", "/nowhere")).status == 404


@pytest.mark.parametrize("path", ["/health", "/api/v1/tasks/t/trigger", "/nowhere", "/"])
async def test_a_page_of_any_origin_may_ask(home: House, path: str) -> None:
    said = await home.ask(
        "OPTIONS",
        path,
        key="",
        origin="https://example.com",
        access_control_request_method="POST",
        access_control_request_headers="authorization,x-whatever",
    )

    assert said.status == 200
    assert said.headers["access-control-allow-origin"] == "*"
    assert said.headers["access-control-allow-headers"] == "authorization,x-whatever"
    assert "POST" in said.headers["access-control-allow-methods"]


async def test_every_answer_may_be_read_by_any_page(home: House) -> None:
    run = await home.run()
    asked = [
        ("GET", "/health", None, ""),
        ("GET", "/nowhere", None, KEY),
        ("PUT", "/health", None, KEY),
        ("GET", f"/api/v3/runs/{run}", None, KEY),
        ("GET", "/api/v3/runs/run_nobody", None, KEY),
        ("GET", f"/api/v3/runs/{run}", None, ""),
        ("GET", f"/api/v3/runs/{run}", None, home.token()),
        ("POST", "/api/v1/tasks/publish/trigger", b"{", KEY),
        ("POST", f"/realtime/v1/streams/{run}/input/approval", b'{"data":1}', KEY),
        ("POST", f"/realtime/v1/streams/{run}/input/notes", b" " * 4_000_000, KEY),
        ("HEAD", f"/realtime/v1/streams/{run}/progress", None, KEY),
    ]
    seen: set[int] = set()
    for method, path, body, key in asked:
        said = await home.ask(method, path, body, key=key)
        seen.add(said.status)
        assert said.headers["access-control-allow-origin"] == "*", path
        assert said.headers["access-control-expose-headers"] == "*", path
    assert seen == {200, 400, 401, 403, 404, 405, 413, 422}


async def test_an_id_may_hold_whatever_can_be_encoded(home: House) -> None:
    said = await home.ask("POST", "/api/v1/tasks/a%2Fb%20c/trigger", b"{}")

    assert said.status == 404
    assert "'a/b c'" in str(said.json["error"])
    for path in ("/api/v3/runs/%00%ff%2e%2e", "/api/v3/runs/..%2F..%2Fhealth", "/api/v3/runs/a?b"):
        assert (await home.ask("GET", path)).status == 404


async def test_the_contract_is_written_down_from_what_is_served(home: House) -> None:
    said = await home.ask("GET", "/openapi.json", key="")
    paths = cast("dict[str, dict[str, dict[str, object]]]", said.json["paths"])
    declared = {(route.path, route.method.lower()) for route in home.door.routes}

    assert {(path, method) for path, methods in paths.items() for method in methods} == declared
    text = said.body.decode()
    for reference in set(json_refs(json.loads(text))):
        assert (
            reference.rpartition("/")[2]
            in cast("dict[str, dict[str, object]]", said.json["components"])["schemas"]
        )
    send = paths["/realtime/v1/streams/{run}/input/{stream}"]["post"]
    assert set(cast("dict[str, object]", send["responses"])) == {
        "200", "400", "401", "403", "404", "408", "413", "422", "429", "431", "500", "503",
    }  # fmt: skip
    assert send["security"] == [{"bearer": []}]
    assert paths["/health"]["get"]["security"] == []


def json_refs(value: object) -> list[str]:
    """Collect every reference."""
    if isinstance(value, list):
        return [ref for item in cast("list[object]", value) for ref in json_refs(item)]
    if not isinstance(value, dict):
        return []
    members = cast("dict[str, object]", value)
    own = [str(members["$ref"])] if "$ref" in members else []
    return own + [ref for item in members.values() for ref in json_refs(item)]


async def answer(_: Call) -> Answer:
    return Answer(b"{}")


def test_a_route_without_a_policy_is_no_route() -> None:
    open_route = Route(method="GET", path="/x", policy=None, handler=answer, summary="")
    route = Route(method="GET", path="/x", policy=AdminKey(), handler=answer, summary="")

    with pytest.raises(TypeError, match="GET /x has no policy"):
        guarded([open_route])
    with pytest.raises(TypeError, match="GET /x is declared twice"):
        guarded([route, route])
    assert guarded([route]) == [route]


async def test_every_error_of_a_route_has_a_status(home: House) -> None:
    for route in home.door.routes:
        assert {error.code for error in route.errors} <= set(http.STATUS)
    assert document(home.door.routes, "1")


async def test_what_nobody_expected_is_told_without_its_secrets(
    home: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        def at(self, env: object, *, trusted: bool = True) -> object:
            raise ZeroDivisionError(f"{env} {trusted} {KEY}")

    monkeypatch.setattr(home.door, "_apis", Broken())
    said = await home.ask("GET", "/api/v3/runs/run_1")
    sent = await home.ask("POST", "/realtime/v1/streams/run_1/input/notes", b'{"data":"canary"}')

    for answered in (said, sent):
        assert answered.status == 500
        assert answered.json["error"] == "Internal Server Error"
        assert answered.json["requestId"] == answered.headers["x-request-id"]
        assert answered.headers["access-control-allow-origin"] == "*"
    logged = capsys.readouterr().out
    assert str(said.json["requestId"]) in logged
    assert "ZeroDivisionError" in logged
    assert KEY not in logged
    assert "canary" not in logged


async def test_an_error_that_is_no_answer_is_a_failure(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Odd:
        def at(self, env: object, *, trusted: bool = True) -> object:
            raise Mistake(f"{env} {trusted}")

    monkeypatch.setattr(home.door, "_apis", Odd())
    assert (await home.ask("GET", "/api/v3/runs/run_1")).status == 422
    assert DEV in str((await home.ask("GET", "/api/v3/runs/run_1")).json["error"])
