"""Bad input at each of the three doors: told clearly, with its documented code, and nothing stored.

The server, its worker and each command are processes of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, cast
from urllib.request import Request, urlopen

import aiohttp
import msgspec
import pytest
from blockbuster import BlockBuster

from headrace import configure, streams, task
from headrace.app.system import SystemChance, wall_now
from headrace.backends.clocks import CarriedClock
from headrace.client import Client, Patience, Target
from headrace.errors import (
    BadRequest,
    BadValue,
    HeadraceError,
    NotFound,
    RunIsOver,
    TooLarge,
    Unencodable,
)
from headrace.wire.views import TriggerOptions, TriggerOrder
from tests.cli.house import House

MISTAKE: Final = 3
TASKS: Final = """
from dataclasses import dataclass

from headrace import streams, task


@dataclass
class Opinion:
    approved: bool
    reviewer: str


opinion = streams.input("opinion", Opinion)
anything = streams.input("anything")


@task
async def hold(number: int) -> str:
    return (await opinion.wait(timeout="7d").unwrap()).reviewer
"""


@dataclass
class Opinion:
    """The type of the stream, as the sender has it."""

    approved: bool
    reviewer: str


opinion = streams.input("opinion", Opinion)
anything = streams.input("anything")
missing = streams.input("missing", str)


@task(id="hold")
async def hold(number: int) -> str:
    """Stand for the worker's task of the same name."""
    return str(number)


@task
async def no_worker_has_it(number: int) -> str:
    """A task that no worker has declared."""
    return str(number)


@dataclass(frozen=True, slots=True)
class Place:
    """The server, a run that waits, and one that has ended."""

    house: House
    url: str
    waiting: str
    ended: str

    def stored(self) -> tuple[int, dict[str, int]]:
        """Count the runs, and what the waiting run has not read."""
        runs = self._get("/api/v1/runs?page%5Bsize%5D=100")
        shown = self._get(f"/api/v3/runs/{self.waiting}")
        assert shown["status"] == "WAITING"
        return len(runs["data"]), shown["unread"]

    def _get(self, path: str) -> dict[str, Any]:
        headers = {
            "authorization": f"Bearer {self.house.key()}",
            "x-trigger-api-version": "2025-07-16",
        }
        with urlopen(Request(self.url + path, headers=headers), timeout=10) as answer:  # noqa: S310 - ours
            return cast("dict[str, Any]", json.load(answer))


@pytest.fixture(scope="module", autouse=True)
def blockable_loop(unblocked_loop: BlockBuster) -> Iterator[None]:
    """Nothing is served here: the test's own questions may block."""
    unblocked_loop.deactivate()
    yield
    unblocked_loop.activate()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Serve, and hold a run in a wait."""
    house = House(tmp_path_factory.mktemp("doors"), TASKS)
    with house.dev():
        waiting, ended = house.trigger("hold", "1"), house.trigger("hold", "2")
        house.until_status(ended, "WAITING")
        done = house.run("send", ended, "opinion", '{"approved": true, "reviewer": "al"}')
        assert done.returncode == 0
        house.until_status(ended, "COMPLETED")
        house.until_status(waiting, "WAITING")
        url = json.loads((house.folder / ".headrace/server.json").read_text())["url"]
        yield Place(house, url, waiting, ended)


@dataclass(frozen=True, slots=True)
class Bad:
    """One bad send: where to, the text of the value, and what each door says."""

    name: str
    data: str
    status: int
    code: str
    says: str
    run: str = "waiting"
    stream: str = "opinion"


GOOD: Final = '{"approved": true, "reviewer": "al"}'
SENDS: Final = (
    Bad(
        "a wrong type", '{"approved": 1, "reviewer": "al"}', 422, "bad_value", r"/approved.*boolean"
    ),
    Bad("a missing field", '{"approved": true}', 422, "bad_value", "reviewer"),
    Bad("NaN", "NaN", 400, "bad_request", "NaN", stream="anything"),
    Bad("infinity", "[-Infinity]", 400, "bad_request", "Infinity", stream="anything"),
    Bad("a number too large", "1e400", 400, "bad_request", "out of range", stream="anything"),
    Bad(
        "a key twice",
        '{"a": 1, "a": 2}',
        400,
        "bad_request",
        "a.*twice|twice.*a|duplicate",
        stream="anything",
    ),
    Bad("half a surrogate pair", '"\\ud800"', 400, "bad_request", "surrogate", stream="anything"),
    Bad(
        "too deep", "[" * 65 + "]" * 65, 400, "bad_request", "deeper than 6[45]", stream="anything"
    ),
    Bad("no JSON", "{approved}", 400, "bad_request", "JSON", stream="anything"),
    Bad("too large", f'"{"x" * 1_048_575}"', 413, "too_large", "1048576", stream="anything"),
    Bad("an unknown run", GOOD, 404, "not_found", "run_nowhere", run="run_nowhere"),
    Bad("an unknown stream", GOOD, 404, "not_found", "missing", stream="missing"),
    Bad("a finished run", GOOD, 400, "run_is_over", "ended", run="ended"),
)


def _run_of(place: Place, bad: Bad) -> str:
    return {"waiting": place.waiting, "ended": place.ended}.get(bad.run, bad.run)


@pytest.fixture
async def session(place: Place) -> AsyncIterator[aiohttp.ClientSession]:
    """Speak HTTP with the secret key."""
    headers = {"authorization": f"Bearer {place.house.key()}"}
    async with aiohttp.ClientSession(place.url, headers=headers) as session:
        yield session


@pytest.mark.parametrize("bad", SENDS, ids=lambda bad: bad.name)
async def test_over_http(place: Place, session: aiohttp.ClientSession, bad: Bad) -> None:
    before = place.stored()
    path = f"/realtime/v1/streams/{_run_of(place, bad)}/input/{bad.stream}"
    async with session.post(path, data=BytesIO(f'{{"data": {bad.data}}}'.encode())) as answer:
        body = await answer.json()
    assert (answer.status, body["ok"], body["code"]) == (bad.status, False, bad.code)
    assert re.search(bad.says, body["error"] + body.get("path", "")), body
    assert place.stored() == before


@pytest.mark.parametrize("bad", SENDS, ids=lambda bad: bad.name)
def test_at_the_command_line(place: Place, bad: Bad) -> None:
    before = place.stored()
    value = place.house.folder / "value.json"
    value.write_text(bad.data, "utf-8")
    done = place.house.run("send", _run_of(place, bad), bad.stream, f"@{value}")
    assert (done.returncode, done.stdout) == (MISTAKE, "")
    assert done.stderr.startswith("error ")
    assert re.search(bad.says, done.stderr), done.stderr
    assert place.stored() == before


@pytest.fixture
async def client(place: Place) -> AsyncIterator[Client]:
    """Let the sdk talk to the server."""
    target = Target(place.url, place.house.key(), patience=Patience(attempts=2))
    client = Client(target, CarriedClock(wall_now()), SystemChance())
    configure(api=client)
    yield client
    configure()
    await client.aclose()


PYTHON: Final = (
    ("a wrong type", "opinion", {"approved": "no", "reviewer": "al"}, BadValue, "approved"),
    ("NaN", "anything", float("nan"), Unencodable, "nan"),
    ("no JSON", "anything", {"when": {1, 2}.__iter__()}, Unencodable, r"when"),
    ("half a surrogate pair", "anything", ["\ud800"], Unencodable, "surrogate"),
    ("too large", "anything", "x" * 1_048_575, TooLarge, "1,048,576"),
)


@pytest.mark.parametrize(
    ("stream", "value", "error", "says"),
    [row[1:] for row in PYTHON],
    ids=[row[0] for row in PYTHON],
)
@pytest.mark.usefixtures("client")
async def test_in_python(
    place: Place, stream: str, value: object, error: type[HeadraceError], says: str
) -> None:
    before = place.stored()
    known = {"opinion": opinion, "anything": anything}[stream]
    with pytest.raises(error, match=f"(?i){says}"):
        await known.send(place.waiting, cast("Any", value))
    assert place.stored() == before


@pytest.mark.usefixtures("client")
async def test_places_that_are_not_there_in_python(place: Place) -> None:
    before = place.stored()
    value = Opinion(approved=True, reviewer="al")
    with pytest.raises(NotFound, match="run_nowhere"):
        await opinion.send("run_nowhere", value)
    with pytest.raises(NotFound, match="missing"):
        await missing.send(place.waiting, "x")
    with pytest.raises(RunIsOver, match="ended"):
        await opinion.send(place.ended, value)
    assert place.stored() == before


@pytest.mark.usefixtures("client")
async def test_triggers_in_python(place: Place) -> None:
    before = place.stored()
    with pytest.raises(NotFound, match="no-worker-has-it"):
        await no_worker_has_it.trigger(1)
    with pytest.raises(BadValue, match="int"):
        await hold.trigger(cast("Any", "four"))
    with pytest.raises(BadRequest, match="5 minutes"):
        await hold.trigger(1, delay="5 minutes")
    assert place.stored() == before


async def test_what_the_server_says_of_a_payload_that_the_sender_did_not_check(
    place: Place, client: Client
) -> None:
    before = place.stored()
    with pytest.raises(BadValue, match="four"):
        await client.trigger("hold", TriggerOrder(payload=_raw('"four"')))
    order = TriggerOrder(payload=_raw("1"), options=TriggerOptions(delay="5 minutes"))
    with pytest.raises(BadRequest, match="5 minutes"):
        await client.trigger("hold", order)
    assert place.stored() == before


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


@dataclass(frozen=True, slots=True)
class BadTrigger:
    """One bad trigger, and what the server says."""

    name: str
    body: dict[str, object]
    status: int
    code: str
    says: str
    task: str = "hold"


TAGS: Final = [str(n) for n in range(11)]
TRIGGERS: Final = (
    BadTrigger("another type", {"payload": "four"}, 422, "bad_value", "four"),
    BadTrigger("no payload", {}, 422, "bad_value", "null"),
    BadTrigger("an unknown task", {"payload": 1}, 404, "not_found", "elsewhere", "elsewhere"),
    BadTrigger(
        "a delay", {"payload": 1, "options": {"delay": "5 minutes"}}, 400, "bad_request", "5 min"
    ),
    BadTrigger(
        "a time to live", {"payload": 1, "options": {"ttl": "-3s"}}, 400, "bad_request", "-3s"
    ),
    BadTrigger("eleven tags", {"payload": 1, "options": {"tags": TAGS}}, 422, "mistake", "10"),
)


@pytest.mark.parametrize("bad", TRIGGERS, ids=lambda bad: bad.name)
async def test_triggers_over_http(
    place: Place, session: aiohttp.ClientSession, bad: BadTrigger
) -> None:
    before = place.stored()
    async with session.post(f"/api/v1/tasks/{bad.task}/trigger", json=bad.body) as answer:
        told = await answer.json()
    assert (answer.status, told["code"]) == (bad.status, bad.code), told
    assert re.search(bad.says, told["error"]), told
    assert place.stored() == before


def test_triggers_at_the_command_line(place: Place) -> None:
    before = place.stored()
    for words, says in (
        (("hold", '"four"'), "four"),
        (("nobody-has-it", "1"), "nobody-has-it"),
        (("hold", "1", "--delay", "5 minutes"), "5 minutes"),
    ):
        done = place.house.run("trigger", *words)
        assert (done.returncode, done.stdout) == (MISTAKE, "")
        assert says in done.stderr
    assert place.stored() == before
