"""Runs over HTTP: starting, showing, listing, stopping, following."""

import json
from typing import cast

import anyio
import msgspec
import pytest

from headrace.kernel.model import Cause, Retry
from headrace.testing.contracts.puppet import working
from headrace.wire.channel import Completed, Ended, Raised
from headrace.wire.views import RunView
from tests.server.house import PATIENCE_S, House, Said

TRIGGER = "/api/v1/tasks/publish/trigger"


async def payload_of(home: House, run: str) -> object:
    """Return the payload that a run was started with."""
    view = await home.api.retrieve(run)
    return None if isinstance(view.payload, msgspec.UnsetType) else json.loads(bytes(view.payload))


@pytest.mark.parametrize(
    ("body", "payload"),
    [
        (b"{}", None),
        (b'{"payload":{"a":1}}', {"a": 1}),
        (b'{"payload":"text"}', "text"),
        (b'{"payload":"5","options":{"payloadType":"text/plain"}}', "5"),
        (b'{"payload":"{\\"a\\":1}","options":{"payloadType":"application/json"}}', {"a": 1}),
        (
            b'{"payload":"{\\"json\\":7}","options":{"payloadType":"application/super+json"}}',
            7,
        ),
        (b'{"payload":1,"context":{"x":1},"options":{"queue":{"name":"q"},"test":false}}', 1),
    ],
)
async def test_a_run_starts_with_whatever_packet(home: House, body: bytes, payload: object) -> None:
    said = await home.ask("POST", TRIGGER, body)

    assert said.status == 200
    assert await payload_of(home, str(said.json["id"])) == payload


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "empty"),
        (b"[]", 400, "Expected `object`"),
        (b"{", 400, "ends too early"),
        (b'{"payload":1,"payload":2}', 400, "twice"),
        (b'{"options":{"tags":["a"],"tags":["b"]}}', 400, "twice"),
        (b'{"options":5}', 400, "$.options"),
        (b'{"options":{"maxAttempts":"3"}}', 400, "$.options.maxAttempts"),
        (b'{"options":{"maxAttempts":0}}', 400, "maxAttempts"),
        (b'{"options":{"delay":"5 minutes"}}', 400, '"5 minutes" is no duration'),
        (b'{"options":{"ttl":-1}}', 400, "negative"),
        (b'{"options":{"idempotencyKeyTTL":"x"}}', 400, "no duration"),
        (b'{"options":{"metadata":[1]}}', 400, "metadata"),
        (b'{"options":{"payloadType":5}}', 400, "payloadType"),
        (b'{"payload":5,"options":{"payloadType":"text/plain"}}', 400, "must be a string"),
        (b'{"payload":"k","options":{"payloadType":"application/store"}}', 400, "no packet"),
        (b'{"payload":' + b"[" * 65 + b"]" * 65 + b"}", 400, "nested"),
        (b'{"payload":"' + b"x" * 3_145_728 + b'"}', 413, "too large"),
    ],
)
async def test_a_bad_order_starts_nothing(
    home: House, body: bytes, status: int, words: str
) -> None:
    said = await home.ask("POST", TRIGGER, body)

    assert said.status == status
    assert words in str(said.json["error"])
    assert (await home.ask("GET", "/api/v1/runs")).json["data"] == []


async def test_a_payload_that_does_not_fit_names_its_place(home: House) -> None:
    said = await home.ask("POST", "/api/v1/tasks/count/trigger", b'{"payload":"seven"}')

    assert (said.status, said.json["code"]) == (422, "bad_value")
    assert '"seven" is not of type "integer"' in str(said.json["error"])


async def test_keys_come_in_the_body_or_in_a_header_which_wins(home: House) -> None:
    body = b'{"options":{"idempotencyKey":"k","idempotencyKeyTTL":"1h"}}'
    one = await home.ask("POST", TRIGGER, body)
    two = await home.ask("POST", TRIGGER, b"{}", idempotency_key="k")
    three = await home.ask("POST", TRIGGER, body, idempotency_key="l", idempotency_key_ttl="1m")

    assert (two.json["id"], two.json["isCached"]) == (one.json["id"], True)
    assert three.json["id"] != one.json["id"]
    home.clock.advance(60_000)
    again = await home.ask("POST", TRIGGER, b"{}", idempotency_key="l")
    assert again.json["id"] != three.json["id"]
    assert (await home.ask("POST", TRIGGER, b"{}", idempotency_key="k")).json["isCached"]
    home.clock.advance(3_600_000)
    assert not (await home.ask("POST", TRIGGER, b"{}", idempotency_key="k")).json["isCached"]


async def test_a_retry_of_the_client_is_no_second_run(home: House) -> None:
    said = [
        await home.ask("POST", TRIGGER, b"{}", x_trigger_request_idempotency_key="r")
        for _ in range(2)
    ]

    assert said[0].json == said[1].json == {"id": said[0].json["id"], "isCached": False}
    assert (await home.ask("POST", TRIGGER, b"{}", idempotency_key="k" * 2_049)).status == 400


async def test_a_run_is_shown_as_the_clients_want_it(home: House) -> None:
    run = await home.run()
    shown = (await home.ask("GET", f"/api/v3/runs/{run}")).json

    required = {
        "id", "taskIdentifier", "status", "isQueued", "isExecuting", "isWaiting", "isCompleted",
        "isSuccess", "isFailed", "isCancelled", "isTest", "createdAt", "updatedAt", "tags",
        "costInCents", "baseCostInCents", "durationMs", "depth", "triggerFunction",
        "attemptCount", "relatedRuns",
    }  # fmt: skip
    assert required <= set(shown)
    assert None not in shown.values()
    assert (shown["id"], shown["status"], shown["payload"]) == (run, "QUEUED", 1)
    assert str(shown["createdAt"]).endswith("Z")


def ids(said: Said) -> list[str]:
    """Return the runs of a page."""
    return [str(item["id"]) for item in cast("list[dict[str, object]]", said.json["data"])]


async def test_runs_are_listed_page_by_page(home: House) -> None:
    runs = [await home.run() for _ in range(5)][::-1]
    first = await home.ask("GET", "/api/v1/runs?page[size]=2")
    pages = cast("dict[str, str]", first.json["pagination"])
    came_by = f"page[after]={pages['next']}"
    second = await home.ask("GET", f"/api/v1/runs?page%5Bsize%5D=2&{came_by}")
    pages = cast("dict[str, str]", second.json["pagination"])
    back = await home.ask("GET", f"/api/v1/runs?page[size]=2&page[before]={pages['previous']}")
    both = f"{came_by}&page[before]={pages['previous']}"  # as the official client asks
    again = await home.ask("GET", f"/api/v1/runs?page[size]=2&{both}")

    assert (ids(first), ids(second), ids(back)) == (runs[:2], runs[2:4], runs[:2])
    assert ids(again) == runs[:2]
    items = cast("list[dict[str, object]]", first.json["data"])
    assert items[0]["env"] == {"id": "dev", "name": "dev"}


async def test_runs_are_filtered(home: House) -> None:
    body = b'{"payload":1,"options":{"tags":["a","b"]}}'
    tagged = str((await home.ask("POST", TRIGGER, body)).json["id"])
    counted = str((await home.ask("POST", "/api/v1/tasks/count/trigger", body)).json["id"])
    await home.ask("POST", f"/api/v2/runs/{counted}/cancel")
    for query, found in (
        ("filter[tag]=a", [counted, tagged]),
        ("filter[tag]=c,a", [counted, tagged]),
        ("filter[tag]=c", []),
        ("filter[taskIdentifier]=count", [counted]),
        ("filter[taskIdentifier]=count,publish", [counted, tagged]),
        ("filter[status]=CANCELED", [counted]),
        ("filter[status]=QUEUED,CANCELED&filter[tag]=b", [counted, tagged]),
        ("filter[status]=SYSTEM_FAILURE", []),
        ("anything=else", [counted, tagged]),
    ):
        assert (query, ids(await home.ask("GET", f"/api/v1/runs?{query}"))) == (query, found)


@pytest.mark.parametrize(
    "query",
    [
        "page[size]=0", "page[size]=101", "page[size]=x", "page[size]=-1", "page[size]=",
        "page[size]=1e1", "page[size]=%D9%A3", "filter[status]=NOPE", "filter[status]=queued",
        "filter[colour]=x", "filter[createdAt]=1", "page[number]=2",
        "page[size]=2&page[size]=3",
    ],
)  # fmt: skip
async def test_a_filter_that_is_not_understood_is_refused(home: House, query: str) -> None:
    said = await home.ask("GET", f"/api/v1/runs?{query}")

    assert (said.status, said.json["code"]) == (400, "bad_request")


async def test_a_run_is_cancelled_also_when_it_is_over(home: House) -> None:
    run = await home.run()
    said = [await home.ask("POST", f"/api/v2/runs/{run}/cancel") for _ in range(2)]

    assert [(one.status, one.json) for one in said] == [(200, {"id": run})] * 2
    assert (await home.api.retrieve(run)).is_cancelled
    assert (await home.ask("POST", "/api/v2/runs/run_nobody/cancel", b"{}")).status == 404


async def test_a_result_is_there_once_the_run_has_ended(home: House) -> None:
    done, failed = [await home.run() for _ in range(2)]
    assert (await home.ask("GET", f"/api/v1/runs/{done}/result")).status == 404
    async with working(home.api, "publish") as puppet:
        epochs = [(await puppet.assigned(run)).epoch for run in (done, failed)]
        puppet.post(Completed(done, epochs[0], b'{"by":"alice"}'))
        cause = Cause("no paper", "OSError", "trace")
        puppet.post(Raised(failed, epochs[1], cause, Retry(), again=False))
        await puppet.pushed(Ended, done)
        await puppet.pushed(Ended, failed)
    stopped = await home.run()
    await home.api.cancel(stopped)

    assert (await home.ask("GET", f"/api/v1/runs/{done}/result")).json == {
        "ok": True, "id": done, "taskIdentifier": "publish",
        "output": '{"by":"alice"}', "outputType": "application/json",
    }  # fmt: skip
    assert (await home.ask("GET", f"/api/v1/runs/{failed}/result")).json == {
        "ok": False, "id": failed, "taskIdentifier": "publish",
        "error": {
            "type": "BUILT_IN_ERROR", "name": "OSError", "message": "no paper",
            "stackTrace": "trace",
        },
    }  # fmt: skip
    said = (await home.ask("GET", f"/api/v1/runs/{stopped}/result")).json
    error = cast("dict[str, object]", said["error"])
    assert (error["type"], error["code"]) == ("INTERNAL_ERROR", "TASK_RUN_CANCELLED")


async def test_a_run_is_followed_until_it_is_final(home: House) -> None:
    run = await home.run()
    headers = {"authorization": f"Bearer {home.token(f'read:runs:{run}')}"}
    seen: list[RunView] = []
    with anyio.fail_after(PATIENCE_S):
        async with home.http.get(
            f"{home.url}/api/headrace/v1/runs/{run}/events", headers=headers
        ) as response:
            assert response.headers["content-type"] == "text/event-stream"
            event = b""
            async for line in response.content:
                if line.startswith(b"event: "):
                    event = line
                elif line.startswith(b"data: ") and event == b"event: run\n":
                    seen.append(msgspec.json.decode(line[6:], type=RunView))
                    if len(seen) == 1:
                        await home.api.cancel(run)

    assert [view.status for view in seen] == ["QUEUED", "CANCELED"]
    assert (await home.ask("GET", "/api/headrace/v1/runs/run_nobody/events")).status == 404
