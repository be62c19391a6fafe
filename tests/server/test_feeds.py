"""The shape protocol, as a client sees it: headers, holding, places, permissions."""

from __future__ import annotations

import anyio
import msgspec
import pytest

from headrace.kernel.model import later
from headrace.server import feeds
from headrace.server.run import DRAIN_S
from headrace.wire import tokens
from headrace.wire.views import TriggerOptions, TriggerOrder
from tests.server.house import DEV, KEY, OTHER_KEY, PATIENCE_S, House, Said, house
from tests.server.wires import ASKS, wire

BEGIN = "offset=-1&log=full"


async def start(home: House, *tags: str, payload: bytes = b"1") -> str:
    """Start a run with tags, past the door."""
    options = TriggerOptions(tags=list(tags))
    order = TriggerOrder(payload=msgspec.Raw(payload), options=options)
    return (await home.api.trigger("publish", order)).id


def rows(said: Said) -> list[dict[str, str | None]]:
    """Return the rows of an answer, which ends with the word that these are all."""
    *changes, last = msgspec.json.decode(said.body)
    assert last == {"headers": {"control": "up-to-date"}}
    return [change["value"] for change in changes]


def live(said: Said) -> str:
    """Ask for what comes behind an answer."""
    handle, offset = said.headers["electric-handle"], said.headers["electric-offset"]
    cursor = said.headers["electric-cursor"]
    return f"cursor={cursor}&handle={handle}&live=true&log=full&offset={offset}"


class Held:
    """A question that is held, and its answer once it has one."""

    said: Said | None = None


async def held(home: House, path: str, into: Held) -> None:
    """Ask, and wait for the answer."""
    into.said = await home.ask("GET", path)


async def until_followed(home: House, count: int = 1) -> None:
    """Wait until so many questions are held."""
    with anyio.fail_after(PATIENCE_S):
        while home.engine.followers != count:
            await anyio.lowlevel.checkpoint()


# --- one run -----------------------------------------------------------------------------------


async def test_a_feed_begins_with_the_run_and_what_its_columns_are(home: House) -> None:
    run = await start(home, "b", 'a"\\')
    said = await home.ask("GET", f"/realtime/v1/runs/{run}?{BEGIN}")
    assert said.status == 200
    assert said.headers["content-type"] == "application/json"
    assert said.headers["cache-control"] == "no-store"
    assert said.headers["access-control-allow-origin"] == "*"
    assert said.headers["access-control-expose-headers"] == "*"
    assert "electric-up-to-date" in said.headers
    assert said.headers["electric-offset"].replace("_", "").isdecimal()
    schema = msgspec.json.decode(said.headers["electric-schema"])
    (row,) = rows(said)
    assert schema.keys() == row.keys()
    assert schema["runTags"] == {"type": "text", "dims": 1}
    assert schema["isTest"] == {"type": "bool"}
    assert row["friendlyId"] == run
    assert row["status"] == "PENDING"
    assert row["isTest"] == "f"
    assert row["runTags"] == '{"a\\"\\\\","b"}'
    assert row["payload"] == "1"
    assert row["realtimeStreams"] == "{}"
    assert row["createdAt"]
    assert not row["createdAt"].endswith("Z")
    assert row["completedAt"] is None
    assert row["error"] is None


async def test_the_first_row_is_an_insert_and_the_next_an_update_of_the_same_key(
    home: House,
) -> None:
    run = await start(home)
    first = await home.ask("GET", f"/realtime/v1/runs/{run}?{BEGIN}")
    await home.api.cancel(run)
    second = await home.ask("GET", f"/realtime/v1/runs/{run}?{live(first)}")
    messages = [msgspec.json.decode(said.body)[0] for said in (first, second)]
    assert [message["headers"] for message in messages] == [
        {"operation": "insert"},
        {"operation": "update"},
    ]
    assert messages[0]["key"] == messages[1]["key"]
    assert rows(second)[0]["status"] == "CANCELED"
    assert rows(second)[0]["completedAt"]
    assert "electric-schema" not in second.headers


async def test_a_question_is_held_until_something_changes(home: House) -> None:
    run, into = await start(home), Held()
    first = await home.ask("GET", f"/realtime/v1/runs/{run}?{BEGIN}")
    async with anyio.create_task_group() as group:
        group.start_soon(held, home, f"/realtime/v1/runs/{run}?{live(first)}", into)
        await until_followed(home)
        assert into.said is None
        await home.api.cancel(run)
    assert into.said is not None
    assert rows(into.said)[0]["status"] == "CANCELED"
    assert home.engine.followers == 0


async def test_a_question_is_not_held_for_ever(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await start(home)
    first = await home.ask("GET", f"/realtime/v1/runs/{run}?{BEGIN}")
    monkeypatch.setattr(feeds, "HOLD_S", 0.05)
    said = await home.ask("GET", f"/realtime/v1/runs/{run}?{live(first)}")
    assert (said.status, rows(said)) == (200, [])
    names = ("electric-handle", "electric-offset")
    assert [said.headers[name] for name in names] == [first.headers[name] for name in names]
    assert "electric-cursor" in said.headers
    assert "electric-up-to-date" in said.headers
    assert home.engine.followers == 0


async def test_a_question_that_is_not_live_is_answered_at_once(home: House) -> None:
    run = await start(home)
    first = await home.ask("GET", f"/realtime/v1/runs/{run}?{BEGIN}")
    again = await home.ask(
        "GET", f"/realtime/v1/runs/{run}?{live(first).replace('live=true&', '')}"
    )
    assert rows(again) == []
    assert "electric-schema" in again.headers


async def test_whoever_goes_away_is_forgotten_at_once(home: House) -> None:
    run = await start(home)
    first = await home.ask("GET", f"/realtime/v1/runs/{run}?{BEGIN}")
    async with wire(home) as bare:
        path = f"/realtime/v1/runs/{run}?{live(first)}"
        await bare.say(f"GET {path} HTTP/1.1\r\n".encode() + ASKS + b"\r\n")
        await until_followed(home)
    await until_followed(home, 0)


async def test_a_server_that_stops_gives_what_it_holds_at_once() -> None:
    into = Held()
    with anyio.fail_after(DRAIN_S / 2):
        async with anyio.create_task_group() as group, house() as home:
            run = await start(home)
            first = await home.ask("GET", f"/realtime/v1/runs/{run}?{BEGIN}")
            group.start_soon(held, home, f"/realtime/v1/runs/{run}?{live(first)}", into)
            await until_followed(home)
    assert into.said is not None
    assert (into.said.status, rows(into.said)) == (200, [])


async def test_a_handle_of_something_else_sends_back_to_the_beginning(home: House) -> None:
    run, other = await start(home), await start(home)
    first = await home.ask("GET", f"/realtime/v1/runs/{other}?{BEGIN}")
    said = await home.ask("GET", f"/realtime/v1/runs/{run}?{live(first)}")
    assert said.status == 409
    assert msgspec.json.decode(said.body) == [{"headers": {"control": "must-refetch"}}]
    assert said.headers["access-control-allow-origin"] == "*"
    handle = said.headers["electric-handle"]
    again = await home.ask("GET", f"/realtime/v1/runs/{run}?{BEGIN}&handle={handle}")
    assert rows(again)[0]["friendlyId"] == run
    assert again.headers["electric-handle"] == handle


async def test_columns_may_be_skipped_but_not_those_that_tell_runs_apart(home: House) -> None:
    run = await start(home)
    query = "skipColumns=payload,status,id,nonsense,createdAt,isTest"
    said = await home.ask("GET", f"/realtime/v1/runs/{run}?{BEGIN}&{query}")
    (row,) = rows(said)
    assert "payload" not in row
    assert {"status", "id", "createdAt", "isTest"} <= row.keys()
    assert msgspec.json.decode(said.headers["electric-schema"]).keys() == row.keys()
    other = await home.ask("GET", f"/realtime/v1/runs/{run}?{live(said)}")
    assert other.status == 409  # the schema that the reader has is not that of all columns


async def test_a_token_that_says_what_is_skipped_has_the_last_word(home: House) -> None:
    run = await start(home, payload=b'"secret"')
    token = home.signed(
        iss=tokens.ISSUER,
        aud=tokens.AUDIENCE,
        sub=DEV,
        pub=True,
        scopes=[f"read:runs:{run}"],
        exp=later(home.clock.now(), 60_000) // 1_000,
        realtime={"skipColumns": ["payload"]},
    )
    path = f"/realtime/v1/runs/{run}?{BEGIN}&skipColumns=output"
    (row,) = rows(await home.ask("GET", path, key=token))
    assert "payload" not in row
    assert "output" in row


@pytest.mark.parametrize("query", ["offset=x", "offset=-2", "offset=1_", "offset=1_2_3", "offset="])
async def test_an_offset_that_nobody_gave_is_refused(home: House, query: str) -> None:
    run = await start(home)
    assert (await home.ask("GET", f"/realtime/v1/runs/{run}?{query}")).status == 400


async def test_a_run_that_is_not_there_is_not_found(home: House) -> None:
    said = await home.ask("GET", f"/realtime/v1/runs/run_nobody?{BEGIN}")
    assert said.status == 404
    assert said.headers["x-should-retry"] == "false"
    run = await start(home)
    other = await home.ask("GET", f"/realtime/v1/runs/{run}?{BEGIN}", key=OTHER_KEY)
    assert other.status == 404


# --- tags --------------------------------------------------------------------------------------


async def test_a_feed_of_tags_tells_of_those_that_have_all(home: House) -> None:
    both, _ = await start(home, "a", "b:c"), await start(home, "a")
    said = await home.ask("GET", f"/realtime/v1/runs?{BEGIN}&tags=a,b:c")
    assert [row["friendlyId"] for row in rows(said)] == [both]


async def test_a_new_run_with_the_tag_answers_what_was_held(home: House) -> None:
    into, runs = Held(), list[str]()
    first = await home.ask("GET", f"/realtime/v1/runs?{BEGIN}&tags=a")
    async with anyio.create_task_group() as group:
        group.start_soon(held, home, f"/realtime/v1/runs?{live(first)}&tags=a", into)
        await until_followed(home)
        await start(home, "b")
        runs.append(await start(home, "a"))
    assert into.said is not None
    assert [row["friendlyId"] for row in rows(into.said)] == runs


async def test_the_window_does_not_move_with_time(home: House) -> None:
    run = await start(home, "a")
    first = await home.ask("GET", f"/realtime/v1/runs?{BEGIN}&tags=a&createdAt=1h")
    home.clock.advance(7_200_000)
    await home.api.cancel(run)
    later_on = await home.ask("GET", f"/realtime/v1/runs?{live(first)}&tags=a&createdAt=1h")
    assert rows(later_on)[0]["status"] == "CANCELED"
    anew = await home.ask("GET", f"/realtime/v1/runs?{BEGIN}&tags=a&createdAt=1h")
    assert rows(anew) == []


@pytest.mark.parametrize(
    "query",
    ["", "tags=", "tags=a%0Ab", "tags=a%22", "tags=a%5C", "tags=a&createdAt=yesterday"],
)
async def test_tags_that_make_no_sense_are_refused(home: House, query: str) -> None:
    assert (await home.ask("GET", f"/realtime/v1/runs?{BEGIN}&{query}")).status == 400


@pytest.mark.parametrize(
    ("scope", "tags", "status"),
    [
        ("read:tags:a", "a", 200),
        ("read:tags:a", "b,a", 200),
        ("read:tags:a", "b", 403),
        ("read:tags", "b", 200),
        ("read:runs", "b", 200),
        ("read:runs:run_1", "b", 403),
        ("write:tags:a", "a", 403),
        ("read:tags:", "", 403),
    ],
)
async def test_a_token_follows_what_it_permits(
    home: House, scope: str, tags: str, status: int
) -> None:
    token = home.token(scope)
    said = await home.ask("GET", f"/realtime/v1/runs?{BEGIN}&tags={tags}", key=token)
    assert said.status == status
    assert said.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ("read:runs:{run}", 200),
        ("read:tags:a", 200),
        ("read:tasks:publish", 200),
        ("read:runs:run_other", 403),
        ("read:tags:b", 403),
    ],
)
async def test_a_token_follows_a_run_that_it_may_read(home: House, scope: str, status: int) -> None:
    run = await start(home, "a")
    token = home.token(scope.format(run=run))
    said = await home.ask("GET", f"/realtime/v1/runs/{run}?{BEGIN}", key=token)
    assert said.status == status


async def test_nobody_follows_without_a_key(home: House) -> None:
    for path in ("/realtime/v1/runs/run_1", "/realtime/v1/runs"):
        assert (await home.ask("GET", f"{path}?{BEGIN}&tags=a", key="")).status == 401
    assert KEY
