"""What a trigger and a list may say over HTTP, and what of it makes no sense."""

import json
from typing import cast

import pytest

from headrace.wire.registration import Registration, TaskSpec
from headrace.wire.views import RunQuery
from tests.server.house import House, started

TRIGGER = "/api/v1/tasks/publish/trigger"
NEW = "2025-07-16"


# --- lists ----------------------------------------------------------------------------------------


async def test_runs_are_listed_by_when_they_were_created(home: House) -> None:
    made: list[tuple[str, int]] = []
    for _ in range(3):
        made.append((await started(home), home.clock.now()))
        home.clock.advance(60_000)
    (a, _), (b, then), (c, _) = made
    date = "1970-01-01T00:00:00Z"
    for query, found in (
        (f"filter[createdAt][from]={then}", [c, b]),
        (f"filter[createdAt][to]={then}", [b, a]),
        (f"filter[createdAt][from]={then}&filter[createdAt][to]={then}", [b]),
        ("filter[createdAt][period]=2m", [c, b]),
        ("filter[createdAt][period]=1m", [c]),
        (f"filter[createdAt][period]=1h&filter[createdAt][from]={then}", [c, b]),
        (f"filter[createdAt][from]={date}", [c, b, a]),
        (f"filter[createdAt][to]={date}", []),
        ("filter[batch]=batch_1", []),
        ("filter[schedule]=sched_1", []),
        ("filter[bulkAction]=bulk_1", []),
        ("filter[machine]=micro", []),
        ("filter[region]=eu", []),
        ("filter[queue]=task/publish", [c, b, a]),
        ("filter[queue]=emails,task/publish&filter[taskIdentifier]=publish", [c, b, a]),
        ("filter[queue]=task/count&filter[taskIdentifier]=publish", []),
        ("filter[queue]=publish", []),
        ("filter[isTest]=false", [c, b, a]),
        ("filter[isTest]=true", []),
        ("filter[version]=1", []),
    ):
        said = await home.ask("GET", f"/api/v1/runs?{query}")
        items = cast("list[dict[str, object]]", said.json["data"])
        assert (query, [item["id"] for item in items]) == (query, found)


@pytest.mark.parametrize(
    "query",
    [
        "filter[createdAt][from]=yesterday", "filter[createdAt][from]=-1",
        "filter[createdAt][to]=2026-13-01", "filter[createdAt][period]=5 minutes",
        "filter[createdAt][from]=1234567890123456", "filter[isTest]=yes", "filter[isTest]=1",
        "filter[createdAt][until]=1", "filter[colour]=red",
    ],
)  # fmt: skip
async def test_a_filter_that_makes_no_sense_is_refused(home: House, query: str) -> None:
    assert (await home.ask("GET", f"/api/v1/runs?{query}")).status == 400


# --- options of a trigger -------------------------------------------------------------------------


async def test_what_has_no_effect_is_accepted_all_the_same(home: House) -> None:
    options = {
        "queue": {"name": "q", "concurrencyLimit": 1}, "concurrencyKey": 5, "machine": "micro",
        "priority": 5, "region": "eu", "lockToVersion": "1", "externalDeploymentId": None,
        "gates": [{"queue": "g"}], "concurrency": ["c"], "payloadSize": 1, "parentBatch": "b",
        "bulkActionId": "x", "resumeParentOnCompletion": False, "unheard": [1],
    }  # fmt: skip
    run = await started(home, json.dumps({"payload": 1, "options": options}).encode())
    assert (await home.api.retrieve(run)).status == "QUEUED"


@pytest.mark.parametrize(
    "debounce",
    [
        {}, 5, "k", {"key": "k"}, {"delay": "1s"}, {"key": 5, "delay": "1s"},
        {"key": "k", "delay": "soon"}, {"key": "k", "delay": 5}, {"key": "k" * 513, "delay": "1s"},
        {"key": "k", "delay": "1s", "mode": "middle"}, {"key": "k", "delay": "1s", "maxDelay": ""},
    ],
)  # fmt: skip
async def test_a_debounce_that_makes_no_sense_is_unprocessable(
    home: House, debounce: object
) -> None:
    body = json.dumps({"payload": 1, "options": {"debounce": debounce}}).encode()
    said = await home.ask("POST", TRIGGER, body)
    assert (said.status, "debounce" in str(said.json["error"])) == (422, True)
    assert not (await home.api.list_runs(RunQuery())).data


async def test_null_is_no_debounce(home: House) -> None:
    body = b'{"payload":1,"options":{"debounce":null}}'
    assert (await home.api.retrieve(await started(home, body))).status == "QUEUED"


async def test_the_key_that_the_caller_chose_is_shown(home: House) -> None:
    options = {"idempotencyKey": "a" * 64, "idempotencyKeyOptions": {"key": "k", "scope": "run"}}
    run = await started(home, json.dumps({"options": options}).encode())
    shown = (await home.ask("GET", f"/api/v3/runs/{run}")).json
    assert shown["idempotencyKey"] == "k"


async def test_metadata_may_come_as_a_packet(home: House) -> None:
    options = {"metadata": '{"a":1}', "metadataType": "application/json", "test": True}
    run = await started(home, json.dumps({"options": options}).encode())
    shown = (await home.ask("GET", f"/api/v3/runs/{run}")).json
    assert (shown["metadata"], shown["isTest"]) == ({"a": 1}, True)


async def test_too_many_tags_are_unprocessable_and_a_long_one_is_bad(home: House) -> None:
    for tags, status in (([f"t{n}" for n in range(11)], 422), (["x" * 129], 400), (["a"], 200)):
        body = json.dumps({"options": {"tags": tags}}).encode()
        assert (await home.ask("POST", TRIGGER, body)).status == status


MALFORMED: list[dict[str, object]] = [
    {"queue": "q"}, {"queue": {}}, {"queue": {"name": 5}},
    {"queue": {"name": "q", "concurrencyLimit": 1.5}}, {"concurrencyKey": ["k"]},
    {"concurrencyKey": True}, {"gates": {}}, {"gates": [{}]}, {"gates": [{"queue": ""}]},
    {"gates": [{"queue": "q" * 129}]}, {"gates": [{"queue": "q"}] * 4},
    {"gates": [{"queue": "q", "concurrencyKey": ""}]}, {"concurrency": "c"},
    {"concurrency": ["a", "b", "c"]}, {"concurrency": ["a b"]}, {"concurrency": ["a\n"]},
    {"concurrency": ["c" * 123]}, {"machine": "huge"}, {"machine": 1}, {"region": 1},
    {"priority": "high"}, {"priority": True}, {"lockToVersion": 1},
    {"externalDeploymentId": 1}, {"payloadSize": -1}, {"payloadSize": 1.5},
    {"parentBatch": 1}, {"bulkActionId": 1}, {"resumeParentOnCompletion": "yes"},
]  # fmt: skip


@pytest.mark.parametrize("option", MALFORMED)
async def test_what_has_no_effect_must_be_well_formed(
    home: House, option: dict[str, object]
) -> None:
    body = json.dumps({"payload": 1, "options": option}).encode()
    said = await home.ask("POST", TRIGGER, body)
    assert (said.status, next(iter(option)) in str(said.json["error"])) == (400, True)
    assert not (await home.api.list_runs(RunQuery())).data


@pytest.mark.parametrize("name", ["delay", "ttl", "idempotencyKeyTTL"])
@pytest.mark.parametrize("text", ["", "soon", "5 minutes", "-5s", "1.5h", "2026-13-01", "5", "P1D"])
async def test_a_time_that_makes_no_sense_is_never_taken_for_none(
    home: House, name: str, text: str
) -> None:
    options = {name: text, "idempotencyKey": "k"}
    body = json.dumps({"payload": 1, "options": options}).encode()
    said = await home.ask("POST", TRIGGER, body)
    assert said.status == 400
    assert not (await home.api.list_runs(RunQuery())).data


async def test_a_time_to_live_of_nothing_is_none_of_the_tasks_either(home: House) -> None:
    await home.api.register(
        Registration(version="t", tasks=(TaskSpec(id="brief", ttl_ms=1_000),), streams=())
    )
    body = b'{"options":{"ttl":0}}'
    said = await home.ask("POST", "/api/v1/tasks/brief/trigger", body)
    home.clock.advance(3_600_000)
    assert (await home.api.retrieve(str(said.json["id"]))).status == "QUEUED"


async def test_a_replay_accepts_what_has_no_effect_if_it_is_well_formed(home: House) -> None:
    run = await started(home)
    good = {"queue": "q", "concurrencyKey": 5, "machine": "micro", "version": "1", "region": "eu"}
    path = f"/api/v1/runs/{run}/replay"
    assert (await home.ask("POST", path, json.dumps(good).encode())).status == 200
    for name, odd in (("queue", 5), ("machine", "huge"), ("version", 1), ("priority", "high")):
        body = json.dumps({**good, name: odd}).encode()
        assert (name, (await home.ask("POST", path, body)).status) == (name, 400)
