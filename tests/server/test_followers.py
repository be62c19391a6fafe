"""Those who follow runs: what they hold is given back when they leave, without a search for it."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator

import anyio
import msgspec
import pytest

from bench.listeners import Listener, Poll, Stream
from headrace.server import sse
from headrace.wire.views import TriggerOptions, TriggerOrder
from tests.server.house import KEY, House, house
from tests.server.wires import ASKS, wire

EACH = 75
HELD = ("Guarded", "RequestResponseCycle", "Call", "Box", "Task", "TaskGroup", "Event", "Timeout")
"""What a connection, a request or a stream is made of."""


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Use the loop that serves users, and Python's own."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def home() -> AsyncIterator[House]:
    """Open a house on that loop."""
    async with house() as opened:
        yield opened


@pytest.fixture
def untidy() -> Generator[None]:
    """Search for no garbage."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def held() -> Counter[str]:
    """Count what this process is made of."""
    names = Counter(type(one).__qualname__ for one in gc.get_objects())
    return Counter({name: names[name] for name in HELD})


async def run_of(home: House) -> str:
    """Start a run with a tag."""
    options = TriggerOptions(tags=["t"])
    return (
        await home.api.trigger("publish", TriggerOrder(payload=msgspec.Raw(b"1"), options=options))
    ).id


def ways(run: str) -> dict[str, type[Listener]]:
    """Return the ways to follow a run."""
    return {
        f"/realtime/v1/runs/{run}": Poll,
        "/realtime/v1/runs?tags=t": Poll,
        f"/realtime/v1/streams/{run}/progress": Stream,
        f"/realtime/v1/streams/{run}/input/notes": Stream,
    }


class Ears:
    """Whoever has heard the mark."""

    def __init__(self, home: House) -> None:
        self._home = home
        self.listeners: list[Listener] = []
        self.heard = set[Listener]()

    async def enter(self, path: str, make: type[Listener]) -> None:
        """Follow."""
        loop = asyncio.get_running_loop()
        _, listener = await loop.create_connection(
            lambda: make(path, KEY, self.hear), "127.0.0.1", self._home.port
        )
        await listener.follows
        self.listeners.append(listener)

    def hear(self, who: Listener, mark: bytes, _at: int) -> None:
        """Note who has heard."""
        assert mark == b"mark-0000001"
        self.heard.add(who)

    async def all_hear(self) -> None:
        """Wait until everybody has."""
        await until(lambda: len(self.heard) == len(self.listeners))

    def leave(self) -> None:
        """Go away."""
        for listener in self.listeners:
            listener.close()
        self.listeners.clear()
        self.heard.clear()


async def until_alone(home: House, tasks: int) -> None:
    """Wait until nobody follows, and the tasks that served them have ended."""
    engine = home.engine
    await until(lambda: not (engine.followers or engine.listeners))
    await until(lambda: len(asyncio.all_tasks()) <= tasks)


async def until(condition: Callable[[], bool]) -> None:
    """Give way until it holds."""
    while not condition():  # noqa: ASYNC110 - nothing tells of it
        await anyio.sleep(0.01)


@pytest.mark.timeout(90)
@pytest.mark.usefixtures("untidy")
async def test_three_hundred_hear_of_a_message_and_leave_nothing_behind(home: House) -> None:
    run, ears = await run_of(home), Ears(home)
    mark = b'"mark-0000001"'
    with anyio.fail_after(60.0):
        tasks, few = len(asyncio.all_tasks()), Counter[str]()
        for each in (2, EACH, EACH):  # what is made once is there after a first few
            for path, make in ways(run).items():
                for _ in range(each):
                    await ears.enter(path, make)
            assert home.engine.followers == 2 * each
            assert home.engine.listeners == 3 * each
            await leave_word(home, run, mark)
            await ears.all_hear()
            ears.leave()
            await until_alone(home, tasks)
            few = few or held()
            tasks = len(asyncio.all_tasks())
        await until(lambda: all(count <= few[name] + 3 for name, count in held().items()))


async def leave_word(home: House, run: str, mark: bytes) -> None:
    """Tell whoever follows the run in any way."""
    await home.api.send(run, "notes", mark)
    await home.api.write(run, "progress", [mark])
    body = b'{"metadata":{"said":' + mark + b"}}"
    assert (await home.ask("PUT", f"/api/v1/runs/{run}/metadata", body)).status == 200


async def test_whoever_asks_for_more_behind_a_stream_is_forgotten_when_he_leaves(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read from him then: it is the next ping that does not arrive."""
    monkeypatch.setattr(sse, "PING_S", 0.05)
    run, tasks = await run_of(home), len(asyncio.all_tasks())
    async with wire(home) as bare:
        path = f"/realtime/v1/streams/{run}/progress"
        await bare.say(f"GET {path} HTTP/1.1\r\n".encode() + ASKS + b"\r\n")
        await bare.reader.readuntil(b"ping")
        assert home.engine.listeners == 1
        await bare.say(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        for _ in range(2):
            await bare.reader.readuntil(b"ping")
        bare.writer.transport.abort()
        await until_alone(home, tasks)
