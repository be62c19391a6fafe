"""Runs changed over HTTP: replayed, rescheduled, tagged, described; single-use tokens; keys."""

import asyncio
import json
from typing import cast

import pytest

from headrace.kernel.model import Cause, Retry
from headrace.testing.contracts.puppet import working
from headrace.wire import tokens
from headrace.wire.channel import Ended, Parked, Raised, Standing
from tests.server.house import DEV, KEY, OTHER_KEY, House, started

TRIGGER = "/api/v1/tasks/publish/trigger"
NEW = "2025-07-16"


def once(home: House, *, ttl_ms: int = 60_000, name: str = "") -> str:
    """Sign a token that may start one run."""
    now = home.clock.now()
    return tokens.mint(
        KEY, DEV, ["trigger:tasks:publish"], now, ttl_ms=ttl_ms, id=name, single_use=True
    )


# --- single-use tokens ----------------------------------------------------------------------------


async def test_a_single_use_token_starts_one_run(home: House) -> None:
    token = once(home)
    first = await home.ask("POST", TRIGGER, b"{}", key=token)
    second = await home.ask("POST", TRIGGER, b"{}", key=token)

    assert first.status == 200
    assert (second.status, second.json["error"]) == (
        422,
        "Cannot trigger publish with a one-time use token as it has already been used.",
    )
    data = cast("list[object]", (await home.ask("GET", "/api/v1/runs")).json["data"])
    assert len(data) == 1


async def test_the_same_request_again_is_no_second_use(home: House) -> None:
    token = once(home)
    said = [
        await home.ask("POST", TRIGGER, b"{}", key=token, x_trigger_request_idempotency_key="r")
        for _ in range(2)
    ]
    other = await home.ask("POST", TRIGGER, b"{}", key=token, x_trigger_request_idempotency_key="s")

    assert said[0].json == said[1].json == {"id": said[0].json["id"], "isCached": False}
    assert other.status == 422


async def test_one_token_uses_no_other_up(home: House) -> None:
    for token in (once(home), once(home, name="a"), once(home, name="b")):
        assert (await home.ask("POST", TRIGGER, b"{}", key=token)).status == 200


async def test_a_refused_order_uses_nothing_up(home: House) -> None:
    token = once(home)
    for body, status in ((b'{"options":{"delay":"soon"}}', 400), (b"{", 400), (b"{}", 200)):
        assert (await home.ask("POST", TRIGGER, body, key=token)).status == status


async def test_of_many_at_once_one_starts(home: House) -> None:
    token = once(home)
    said = await asyncio.gather(*[home.ask("POST", TRIGGER, b"{}", key=token) for _ in range(20)])
    assert sorted(one.status for one in said) == [200] + [422] * 19


async def test_an_expired_one_is_none(home: House) -> None:
    token = once(home, ttl_ms=5_000)
    home.clock.advance(5_000)
    assert (await home.ask("POST", TRIGGER, b"{}", key=token)).status == 401


# --- statuses by the version of the API -----------------------------------------------------------


async def test_statuses_have_the_names_of_the_callers_version(home: House) -> None:
    waits, fails = await started(home), await started(home)
    async with working(home.api, "publish") as puppet:
        held = await puppet.assigned(waits)
        puppet.post(Standing(waits, held.epoch, "0/notes#0", "notes", held=True))
        puppet.post(Parked(waits, held.epoch))
        other = await puppet.assigned(fails)
        puppet.post(Raised(fails, other.epoch, Cause("no", "OSError"), Retry(max_attempts=9)))
        await puppet.pushed(Ended, fails)
        for run, old, new in (
            (waits, ("FROZEN", False, True), ("WAITING", True, False)),
            (fails, ("REATTEMPTING", False, True), ("EXECUTING", False, True)),
        ):
            for version, words in (("", old), ("1", old), (NEW, new)):
                shown = (
                    await home.ask("GET", f"/api/v3/runs/{run}", x_trigger_api_version=version)
                ).json
                assert (shown["status"], shown["isWaiting"], shown["isExecuting"]) == words
                filtered = await home.ask(
                    "GET",
                    f"/api/v1/runs?filter[status]={words[0]}",
                    x_trigger_api_version=version,
                )
                items = cast("list[dict[str, object]]", filtered.json["data"])
                assert [(item["id"], item["status"]) for item in items] == [(run, words[0])]
    path = "/api/v1/runs?filter[status]=FROZEN"
    assert (await home.ask("GET", path, x_trigger_api_version=NEW)).status == 400


# --- changes --------------------------------------------------------------------------------------


async def test_a_replay_answers_with_the_new_run(home: House) -> None:
    run = await started(home)
    said = [await home.ask("POST", f"/api/v1/runs/{run}/replay", body) for body in (b"", b"{}")]
    bad = await home.ask("POST", f"/api/v1/runs/{run}/replay", b'{"unheard":1}')

    ids = {str(one.json["id"]) for one in said}
    assert [one.status for one in said] == [200, 200]
    assert len(ids | {run}) == 3
    assert bad.status == 400
    body = b'{"queue":"q","machine":"micro","version":"1","region":"eu","priority":1}'
    assert (await home.ask("POST", f"/api/v1/runs/{run}/replay", body)).status == 200


async def test_a_delayed_run_is_shown_with_its_new_time(home: House) -> None:
    run = await started(home, b'{"options":{"delay":"1h"}}')
    path = f"/api/v1/runs/{run}/reschedule"
    said = await home.ask("POST", path, b'{"delay":"2026-12-24T18:00:00Z"}')

    assert (said.status, said.json["status"]) == (200, "DELAYED")
    assert said.json["delayedUntil"] == "2026-12-24T18:00:00.000Z"
    for bad in (b"{}", b'{"delay":"soon"}', b'{"delay":null}', b""):
        assert (await home.ask("POST", path, bad)).status == 400
    queued = await started(home)
    said = await home.ask("POST", f"/api/v1/runs/{queued}/reschedule", b'{"delay":"1h"}')
    assert (said.status, said.json["code"]) == (400, "bad_request")


async def test_tags_are_added_one_or_several(home: House) -> None:
    run = await started(home, b'{"options":{"tags":["a"]}}')
    for body in (b'{"tags":"b"}', b'{"tags":["c","a"]}'):
        said = await home.ask("POST", f"/api/v1/runs/{run}/tags", body)
        assert (said.status, list(said.json)) == (200, ["message"])
    many = json.dumps({"tags": [f"t{n}" for n in range(8)]}).encode()
    assert (await home.ask("POST", f"/api/v1/runs/{run}/tags", many)).status == 422
    shown = (await home.ask("GET", f"/api/v3/runs/{run}")).json
    assert shown["tags"] == ["a", "b", "c"]


async def test_metadata_is_an_object_on_the_wire(home: House) -> None:
    run = await started(home)
    path = f"/api/v1/runs/{run}/metadata"
    body = {
        "metadata": {"a": 1},
        "operations": [
            {"type": "append", "key": "$.steps", "value": {"name": "draft"}},
            {"type": "increment", "key": "a", "value": 2},
        ],
    }
    said = await home.ask("PUT", path, json.dumps(body).encode())
    expected = {"a": 3, "steps": [{"name": "draft"}]}

    assert (said.status, said.json) == (200, {"metadata": expected})
    read = (await home.ask("GET", path)).json
    assert read == {"metadata": expected, "metadataType": "application/json"}


async def test_a_lost_answer_counts_once(home: House) -> None:
    run = await started(home)
    body = b'{"operations":[{"type":"increment","key":"n","value":1}]}'
    said = [
        await home.ask(
            "PUT", f"/api/v1/runs/{run}/metadata", body, x_trigger_request_idempotency_key="r"
        )
        for _ in range(3)
    ]
    assert [one.json for one in said] == [{"metadata": {"n": 1}}] * 3


async def test_concurrent_writers_lose_nothing(home: House) -> None:
    run = await started(home)
    body = b'{"operations":[{"type":"increment","key":"n","value":1}]}'
    said = await asyncio.gather(
        *[home.ask("PUT", f"/api/v1/runs/{run}/metadata", body) for _ in range(30)]
    )
    assert {one.status for one in said} == {200}
    assert json.loads(await home.api.metadata(run)) == {"n": 30}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"metadata":[]}', 400),
        (b'{"metadata":null}', 400),
        (b'{"operations":[{"type":"explode","key":"a"}]}', 400),
        (b'{"operations":[{"type":"set","key":"__proto__","value":1}]}', 400),
        (b'{"metadata":{"a":"' + b"x" * 262_144 + b'"}}', 413),
        (b'{"metadata":{"a":"' + b"x" * 2_097_152 + b'"}}', 413),
    ],
)
async def test_bad_metadata_changes_nothing(home: House, body: bytes, status: int) -> None:
    run = await started(home)
    said = await home.ask("PUT", f"/api/v1/runs/{run}/metadata", body)
    assert said.status == status
    assert await home.api.metadata(run) == b"{}"


async def test_metadata_of_a_run_that_ended_long_ago_stays(home: House) -> None:
    run = await started(home)
    await home.api.cancel(run)
    home.clock.advance(600_000)
    assert (await home.ask("PUT", f"/api/v1/runs/{run}/metadata", b'{"metadata":{}}')).status == 200
    home.clock.advance(1)
    assert (await home.ask("PUT", f"/api/v1/runs/{run}/metadata", b'{"metadata":{}}')).status == 422


async def test_a_key_is_freed_by_a_token_for_all_runs(home: House) -> None:
    path, body = "/api/v1/idempotencyKeys/a%2Fb/reset", b'{"taskIdentifier":"publish"}'
    for scope, status in (("write:runs:x", 403), ("read:runs", 403), ("write:runs", 200)):
        await home.ask("POST", TRIGGER, b"{}", idempotency_key="a/b")
        said = await home.ask("POST", path, body, key=home.token(scope))
        assert (scope, said.status) == (scope, status)
        assert status != 200 or said.json == {"id": "a/b"}
    gone = await home.ask("POST", path, body)
    assert (gone.status, gone.headers["x-should-retry"]) == (404, "false")
    assert (await home.ask("POST", path, b"{}")).status == 400


async def test_another_environment_changes_nothing(home: House) -> None:
    run = await started(home, b'{"options":{"delay":"1h","tags":["a"],"idempotencyKey":"k"}}')
    before = (await home.ask("GET", f"/api/v3/runs/{run}")).json
    for method, verb, body in (
        ("POST", "replay", b"{}"),
        ("POST", "reschedule", b'{"delay":"2h"}'),
        ("POST", "tags", b'{"tags":["b"]}'),
        ("GET", "metadata", None),
        ("PUT", "metadata", b'{"metadata":{"a":1}}'),
    ):
        said = await home.ask(method, f"/api/v1/runs/{run}/{verb}", body, key=OTHER_KEY)
        assert (verb, said.status) == (verb, 404)
    reset = b'{"taskIdentifier":"publish"}'
    said = await home.ask("POST", "/api/v1/idempotencyKeys/k/reset", reset, key=OTHER_KEY)
    assert said.status == 404
    assert (await home.ask("GET", f"/api/v3/runs/{run}")).json == before
