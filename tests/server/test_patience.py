"""How long a connection is waited for, to the second: the protocol before a clock set by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from headrace.server.protocol import BODY_LEAST, BODY_S, HEAD_S, Guarded
from headrace.server.taking import KEEP_ALIVE_S, LOOK_S, TAKEN_LEAST, TAKEN_S

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass(slots=True)
class Alarm:
    """What is to be done at a time."""

    at: float
    ring: Callable[[], None]
    is_off: bool = False

    def cancel(self) -> None:
        """Do nothing then."""
        self.is_off = True


@dataclass(slots=True)
class Hours:
    """A loop whose time passes only when it is told to; its tasks are those of the real one."""

    now: float = 0.0
    alarms: list[Alarm] = field(default_factory=list[Alarm])

    def call_later(self, seconds: float, ring: Callable[[], None]) -> Alarm:
        """Set an alarm."""
        self.alarms.append(Alarm(self.now + seconds, ring))
        return self.alarms[-1]

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio.get_running_loop(), name)

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while due := [one for one in self.alarms if not one.is_off and one.at <= end]:
            first = min(due, key=lambda one: one.at)
            self.now = first.at
            self.alarms.remove(first)
            first.ring()
        self.now = end


class Line(asyncio.Transport):
    """The other end: takes as much as the test says, that is, leaves `untaken`."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""
        self.untaken = 0
        self.is_shut = self.is_cut = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.said += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.untaken

    def cut(self) -> bool:
        """Tell whether it was cut."""
        return self.is_cut

    def is_closing(self) -> bool:
        return self.is_shut or self.is_cut

    def close(self) -> None:
        self.is_shut = True

    def abort(self) -> None:
        self.is_cut = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answer once the whole body is there."""
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.request":
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})


@dataclass(slots=True)
class Wire:
    """A connection, the other end of it, and its time."""

    hours: Hours
    line: Line
    guarded: Guarded

    async def say(self, data: bytes) -> None:
        """Let this arrive, and be answered."""
        self.guarded.data_received(data)
        for _ in range(10):
            await asyncio.sleep(0)

    def is_over(self) -> bool:
        """Tell whether the connection was given up."""
        return self.line.is_closing()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """Connect."""
    config = uvicorn.Config(
        echo, lifespan="off", interface="asgi3", log_config=None, timeout_keep_alive=LOOK_S
    )
    config.load()
    hours, line = Hours(), Line()
    loop = cast("asyncio.AbstractEventLoop", hours)
    guarded = Guarded(config=config, server_state=ServerState(), app_state={}, _loop=loop)
    guarded.connection_made(line)
    yield Wire(hours, line, guarded)
    guarded.connection_lost(None)


# --- slow writers --------------------------------------------------------------------------------


async def test_whoever_says_nothing_is_cut_in_time(wire: Wire) -> None:
    wire.hours.pass_by(HEAD_S - 0.1)
    assert not wire.is_over()
    wire.hours.pass_by(0.1)
    assert wire.is_over()
    assert HEAD_S <= 15


async def test_a_head_that_drips_is_cut_in_time(wire: Wire) -> None:
    for at in range(14):
        await wire.say(GET[at : at + 1])
        wire.hours.pass_by(1.0)
    assert not wire.is_over()
    wire.hours.pass_by(1.0)
    assert wire.is_over()
    assert wire.line.said.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("head", [POST, CHUNKED])
async def test_a_body_that_drips_is_cut_in_time(wire: Wire, head: bytes) -> None:
    await wire.say(head)
    part = b"1\r\nx\r\n" if head is CHUNKED else b"x"
    for _ in range(14):
        wire.hours.pass_by(1.0)
        await wire.say(part)
        assert not wire.is_over()
    wire.hours.pass_by(1.0)
    assert wire.is_over()
    assert wire.line.said.startswith(b"HTTP/1.1 408 ")
    assert BODY_S <= 15


async def test_a_body_that_brings_enough_is_waited_for(wire: Wire) -> None:
    await wire.say(POST)
    left = 100_000
    while left:
        wire.hours.pass_by(BODY_S - 0.1)
        part = min(left, BODY_LEAST)
        await wire.say(b"x" * part)
        left -= part
    assert wire.line.said.startswith(b"HTTP/1.1 200 ")
    assert not wire.is_over()


async def test_each_body_of_a_connection_has_its_own_time(wire: Wire) -> None:
    await wire.say(POST + b"x" * 100_000)
    wire.hours.pass_by(10.0)
    await wire.say(POST)
    wire.hours.pass_by(BODY_S - 0.1)
    assert not wire.is_over()
    wire.hours.pass_by(0.1)
    assert wire.is_over()


# --- slow readers --------------------------------------------------------------------------------


async def test_whoever_takes_nothing_is_cut_in_time(wire: Wire) -> None:
    wire.line.untaken = 1_000_000
    wire.guarded.pause_writing()
    wire.hours.pass_by(TAKEN_S - 0.1)
    assert not wire.line.cut()
    wire.hours.pass_by(0.1)
    assert wire.line.cut()
    assert TAKEN_S <= 15


async def test_whoever_takes_enough_is_waited_for_until_he_stops(wire: Wire) -> None:
    wire.guarded.data_received(GET)
    wire.line.untaken = 100 * TAKEN_LEAST
    wire.guarded.pause_writing()
    for _ in range(20):
        wire.line.untaken -= TAKEN_LEAST
        wire.hours.pass_by(TAKEN_S)
        assert not wire.line.cut()
    wire.line.untaken -= TAKEN_LEAST - 1
    wire.hours.pass_by(TAKEN_S)
    assert wire.line.cut()


async def test_whoever_has_taken_all_is_not_watched_any_more(wire: Wire) -> None:
    await wire.say(GET)
    wire.line.untaken = 1_000_000
    wire.guarded.pause_writing()
    wire.line.untaken = 0
    wire.guarded.resume_writing()
    wire.hours.pass_by(TAKEN_S)
    assert not wire.is_over()


@pytest.mark.parametrize("said", [GET.replace(b"host", b"connection: close\r\nhost"), b"nonsense"])
async def test_the_end_of_a_last_answer_is_taken_or_cut(wire: Wire, said: bytes) -> None:
    """So little may wait that nobody is told to pause."""
    wire.line.untaken = 100
    await wire.say(said)
    assert (wire.line.is_shut, wire.line.cut()) == (True, False)
    wire.hours.pass_by(TAKEN_S)
    assert wire.line.cut()


async def test_what_is_left_of_an_answer_is_taken_or_cut(wire: Wire) -> None:
    await wire.say(GET)
    wire.line.untaken = 100
    wire.hours.pass_by(LOOK_S)
    assert wire.line.cut()
    assert LOOK_S <= 15


# --- idle ----------------------------------------------------------------------------------------


async def test_a_connection_may_be_idle_for_a_while(wire: Wire) -> None:
    await wire.say(GET)
    wire.hours.pass_by(KEEP_ALIVE_S - 0.1)
    assert not wire.is_over()
    await wire.say(GET)
    assert wire.line.said.count(b"HTTP/1.1 200 ") == 2
    wire.hours.pass_by(KEEP_ALIVE_S - 0.1)
    assert not wire.is_over()
    wire.hours.pass_by(0.1)
    assert wire.line.is_shut
