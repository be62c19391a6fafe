"""Reading streams: framing, resuming, silence, the end, and nothing left behind."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings, strategies as st
from starlette.types import Scope

from headrace.engine import sends
from headrace.kernel.model import Record, RunId, StreamId
from headrace.server import sse
from headrace.server.calls import Events
from headrace.testing.contracts.puppet import working
from headrace.wire.channel import Emitted
from tests.server.house import KEY, PATIENCE_S, House
from tests.server.wires import ASKS, wire

ANYWHERE: Scope = {}
"""A connection of a server that does not tell when a client leaves."""


@asynccontextmanager
async def reading(home: House, path: str, **headers: str) -> AsyncGenerator[aiohttp.ClientResponse]:
    """Open a stream of events."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    sent["authorization"] = f"Bearer {KEY}"
    with anyio.fail_after(PATIENCE_S):
        async with home.http.get(f"{home.url}/realtime/v1/streams/{path}", headers=sent) as opened:
            yield opened


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, str]]:
    """Yield events: name and data."""
    rest, name = b"", ""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            field, _, value = line.decode().partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                yield name, value


async def records(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[int, object]]:
    """Yield records: number and value."""
    async for name, data in events(response):
        if name == "batch":
            for record in json.loads(data)["records"]:
                yield record["seq_num"], json.loads(record["body"])["data"]


async def filled(home: House, count: int) -> str:
    """Start a run and send it `count` numbers."""
    run = await home.run()
    for number in range(count):
        await home.api.send(run, "notes", str(number).encode())
    return run


async def test_records_come_in_batches_as_the_clients_want_them(home: House) -> None:
    run = await filled(home, 3)
    await home.api.cancel(run)
    async with reading(home, f"{run}/input/notes") as opened:
        assert opened.headers["content-type"] == "text/event-stream"
        assert opened.headers["x-stream-version"] == "v2"
        assert "no-cache" in opened.headers["cache-control"]
        assert opened.headers["access-control-expose-headers"] == "*"
        found = [event async for event in events(opened)]

    assert [name for name, _ in found] == ["batch"]
    batch = json.loads(found[0][1])["records"]
    assert [record["seq_num"] for record in batch] == [0, 1, 2]
    assert all(record["headers"] == [] for record in batch)
    assert all(record["timestamp"] == home.clock.now() for record in batch)
    bodies = [json.loads(record["body"]) for record in batch]
    assert [body["data"] for body in bodies] == [0, 1, 2]
    assert len({body["id"] for body in bodies}) == 3


async def test_an_empty_stream_is_open_and_its_headers_come_at_once(home: House) -> None:
    run = await home.run()
    for path in (f"{run}/progress", f"{run}/never-written", f"{run}/input/notes"):
        async with reading(home, path) as opened:
            assert opened.status == 200


async def test_what_a_task_writes_is_read_while_it_is_written(home: House) -> None:
    run = await home.run()
    async with working(home.api, "publish") as puppet, reading(home, f"{run}/progress") as opened:
        epoch = (await puppet.assigned(run)).epoch
        found = records(opened)
        for number in range(3):
            body = json.dumps({"é": number}).encode()
            puppet.post(Emitted(run, epoch, "progress", f"0/progress#0/{number}", body))
            assert await anext(found) == (number, {"é": number})


@pytest.mark.parametrize(
    ("last", "first"), [("-1", 0), ("0", 1), ("1", 2), ("2", 3), (" 1 ", 2), ("00", 1), ("", 0)]
)
async def test_a_reader_goes_on_behind_what_it_has(home: House, last: str, first: int) -> None:
    run = await filled(home, 3)
    await home.api.cancel(run)
    async with reading(home, f"{run}/input/notes", last_event_id=last) as opened:
        assert [seq async for seq, _ in records(opened)] == list(range(first, 3))


@pytest.mark.parametrize(
    "last",
    [
        "x", "-2", "1.5", "0x1", "18446744073709551615", "9" * 400, "1,2", "run:1", "+1", "1e1",
        "\u0663", "null",
    ],
)  # fmt: skip
async def test_what_is_no_number_of_a_record_is_refused(home: House, last: str) -> None:
    run = await home.run()
    async with reading(home, f"{run}/input/notes", last_event_id=last) as opened:
        assert opened.status == 400
        assert "Last-Event-ID" in (await opened.json())["error"]


async def test_a_number_that_is_not_there_yet_is_waited_for(home: House) -> None:
    run = await filled(home, 1)
    async with reading(home, f"{run}/input/notes", last_event_id="1") as opened:
        for number in range(1, 3):
            await home.api.send(run, "notes", str(number).encode())
        assert await anext(records(opened)) == (2, 2)


async def test_a_reader_may_start_at_the_present_end(home: House) -> None:
    run = await filled(home, 3)
    async with reading(home, f"{run}/input/notes", x_trigger_stream_start="latest") as opened:
        await home.api.send(run, "notes", b'"new"')
        assert await anext(records(opened)) == (3, "new")
    async with reading(
        home, f"{run}/input/notes", x_trigger_stream_start="latest", last_event_id="0"
    ) as opened:
        assert await anext(records(opened)) == (1, 1)


@pytest.mark.parametrize("seconds", ["0", "601", "x", "-1", "nan", "inf", "1e9", "0.5"])
async def test_a_reader_waits_for_1_to_600_seconds(home: House, seconds: str) -> None:
    async with reading(home, f"{await home.run()}/progress", timeout_seconds=seconds) as opened:
        assert opened.status == 400


async def test_silence_ends_a_stream_cleanly_and_records_break_it(home: House) -> None:
    run = await filled(home, 1)
    start = anyio.current_time()
    async with reading(home, f"{run}/input/notes", timeout_seconds="1") as opened:
        assert [seq async for seq, _ in records(opened)] == [0]

    assert 1.0 <= anyio.current_time() - start < 3.0


async def test_a_quiet_stream_pings(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sse.PING_S <= 10
    monkeypatch.setattr(sse, "PING_S", 0.02)
    run = await filled(home, 1)
    async with reading(home, f"{run}/input/notes") as opened:
        found = events(opened)
        names = [(await anext(found))[0] for _ in range(3)]
        await home.api.cancel(run)
        rest = [name async for name, _ in found]

    assert names == ["batch", "ping", "ping"]
    assert set(rest) <= {"ping"}


async def test_a_run_that_nobody_started_has_no_streams(home: House) -> None:
    for path in ("run_nobody/progress", "run_nobody/input/notes"):
        async with reading(home, path) as opened:
            assert opened.status == 404
            assert opened.headers["x-should-retry"] == "false"


async def test_a_reader_that_leaves_leaves_nothing_behind(home: House) -> None:
    run = await home.run()
    before = len(asyncio.all_tasks())
    for _ in range(3):
        async with reading(home, f"{run}/progress") as opened:
            assert opened.status == 200
            await until(lambda: len(asyncio.all_tasks()) > before + 1)
            opened.close()
        await until(lambda: len(asyncio.all_tasks()) <= before)


async def until(condition: Callable[[], object]) -> None:
    """Give way until it holds."""
    with anyio.fail_after(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await anyio.sleep(0.005)


async def test_large_records_come_whole(home: House) -> None:
    run = await home.run()
    big = json.dumps("x" * 1_000_000).encode()
    for _ in range(5):
        await home.api.send(run, "notes", big)
    await home.api.cancel(run)
    async with reading(home, f"{run}/input/notes") as opened:
        found = [record async for record in records(opened)]

    assert found == [(seq, "x" * 1_000_000) for seq in range(5)]


async def test_a_reader_that_is_cut_off_anywhere_misses_nothing(home: House, seed: int) -> None:
    """Cut at any byte, come back with the last number seen: every record, once, in order."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    run, seen, cuts = await filled(home, 400), list[int](), 0
    while len(seen) < 400:
        last = b"last-event-id: %d\r\n" % seen[-1] if seen else b""
        path = f"/realtime/v1/streams/{run}/input/notes".encode()
        async with wire(home) as opened:
            await opened.say(b"GET " + path + b" HTTP/1.1\r\n" + ASKS + last + b"\r\n")
            await opened.reader.readuntil(b"\r\n\r\n")
            got, cut = b"", chance.randrange(1, 30_000)
            whole = b'"seq_num":399'
            while len(got) < cut and not (whole in got and got.endswith(b"\n\n\r\n")):
                assert not opened.reader.at_eof()
                got += await opened.reader.read(cut - len(got))
        cuts += 1
        # What a client takes out of the bytes that it has: whole lines of whole chunks only.
        for line in got.split(b"\n")[:-1]:
            if line.startswith(b"data: {"):
                seen += [record["seq_num"] for record in json.loads(line[6:]).get("records", ())]

    assert seen == list(range(400))
    assert cuts > 1


# --- the pump itself ------------------------------------------------------------------------------


class Reader:
    """The far end of a stream: takes what is sent, and may leave."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.is_ended = False
        self.gone = anyio.Event()
        self.is_reading = anyio.Event()
        self.is_reading.set()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self.is_reading.wait()
        self.sent.append(message["body"])
        self.is_ended = not message.get("more_body", False)

    async def receive(self) -> dict[str, object]:
        await self.gone.wait()
        return {"type": "http.disconnect"}


@given(st.lists(st.integers(1, 5), max_size=30), st.integers(1, 4), st.integers(1, 40))
@settings(max_examples=30)
async def test_every_event_is_sent_once_in_order(
    bursts: list[int], most: int, most_bytes: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "MOST", most)
        patch.setattr(sse, "MOST_BYTES", most_bytes)
        reader, expected = Reader(), list[bytes]()

        async def source() -> AsyncGenerator[bytes]:
            for number, burst in enumerate(bursts):
                await anyio.lowlevel.checkpoint()
                for part in range(burst):
                    expected.append(b"%d.%d " % (number, part))
                    yield expected[-1]

        await sse.stream(Events(source(), b"".join), ANYWHERE, reader.receive, reader.send)

    assert b"".join(reader.sent) == b"".join(expected)
    assert reader.is_ended


async def test_a_stream_that_breaks_is_not_ended_cleanly() -> None:
    reader = Reader()

    async def source() -> AsyncGenerator[bytes]:
        yield b"one"
        raise OSError("the store is gone")

    with pytest.raises(OSError, match="the store is gone"):
        await sse.stream(Events(source(), b"".join), ANYWHERE, reader.receive, reader.send)
    assert reader.sent == [b"one"]
    assert not reader.is_ended


async def test_a_reader_that_leaves_ends_the_source() -> None:
    reader, closed = Reader(), list[str]()

    async def source() -> AsyncGenerator[bytes]:
        try:
            yield b"one"
            await anyio.sleep_forever()
        finally:
            closed.append("closed")

    async with anyio.create_task_group() as group:
        group.start_soon(
            sse.stream, Events(source(), b"".join), ANYWHERE, reader.receive, reader.send
        )
        await until(lambda: reader.sent)
        reader.gone.set()

    assert closed == ["closed"]
    assert not reader.is_ended


async def test_a_reader_that_does_not_read_holds_its_source_back() -> None:
    reader, given = Reader(), list[int]()
    reader.is_reading = anyio.Event()

    async def source() -> AsyncGenerator[bytes]:
        for number in range(10_000):
            given.append(number)
            yield b"."

    async with anyio.create_task_group() as group:
        group.start_soon(
            sse.stream, Events(source(), b"".join), ANYWHERE, reader.receive, reader.send
        )
        for _ in range(5_000):
            await anyio.lowlevel.checkpoint()
        assert len(given) <= 2 * sse.MOST + 2
        reader.is_reading.set()

    assert b"".join(reader.sent) == b"." * 10_000


async def test_a_reader_of_large_records_is_given_few_at_once(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in memory for as long as he takes."""
    run, kind, sizes = await home.run(), type(home.stores.streams), list[int]()
    before = kind.read

    async def read(
        self: Any, run_id: RunId, stream: StreamId, start: int, limit: int
    ) -> Sequence[Record]:
        found = await before(self, run_id, stream, start, limit)
        sizes.append(sum(len(record.body) for record in found))
        return found

    monkeypatch.setattr(kind, "read", read)
    for size, count in ((400_000, 20), (10, 1_000)):
        large = json.dumps("x" * size).encode()
        for _ in range(count // 20):
            await home.api.write(run, "progress", [large] * 20)
    await home.api.cancel(run)
    async with reading(home, f"{run}/progress") as opened:
        assert len([record async for record in records(opened)]) == 1_020
    assert max(sizes[1:]) <= sends.PAGE_BYTES
    assert len(sizes) < 60
