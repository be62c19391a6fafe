"""The worker channel: over a WebSocket and over a socket file, and what is no worker."""

import socket
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import aiohttp
import anyio
import anyio.abc
import pytest
from msgspec.structs import replace

from headrace.errors import Mistake
from headrace.server import serve_unix, talk
from headrace.server.work import WORKER
from headrace.wire import frames
from headrace.wire.channel import (
    Assigned,
    Completed,
    Ended,
    Hello,
    Operation,
    Push,
    Renewed,
    decode_pushes,
    encode,
)
from tests.server.house import DECLARED, KEY, OTHER_KEY, PATIENCE_S, House

HELLO = Hello(worker="w1", version="1", tasks=("publish",), slots=4)


class Line:
    """One worker's end of a channel, whatever carries it."""

    def __init__(
        self, put: Callable[[bytes], Awaitable[object]], get: Callable[[], Awaitable[bytes | None]]
    ) -> None:
        self._put, self._get = put, get

    async def say(self, *operations: Operation) -> None:
        """Send operations in one frame."""
        await self._put(encode(operations))

    async def raw(self, frame: bytes) -> None:
        """Send whatever."""
        await self._put(frame)

    async def hear(self) -> list[Push]:
        """Return the pushes of the next frame, none at the end."""
        frame = await self._get()
        return [] if frame is None else decode_pushes(frame)


@asynccontextmanager
async def by_websocket(home: House, _: Path) -> AsyncGenerator[Line]:
    """Connect over HTTP."""
    headers = {"authorization": f"Bearer {KEY}"}
    async with home.http.ws_connect(home.url + WORKER, headers=headers) as opened:

        async def get() -> bytes | None:
            message = await opened.receive()
            return message.data if message.type is aiohttp.WSMsgType.BINARY else None

        yield Line(opened.send_bytes, get)


@asynccontextmanager
async def by_file(home: House, folder: Path) -> AsyncGenerator[Line]:
    """Connect over a socket file."""
    path = folder / "s"
    async with serve_unix(path, home.api), await anyio.connect_unix(path) as stream:

        async def put(frame: bytes) -> None:
            await stream.send(frames.framed(frame))

        async def get() -> bytes | None:
            prefix = await exactly(stream, frames.PREFIX)
            return None if prefix is None else await exactly(stream, frames.length_of(prefix))

        yield Line(put, get)


async def exactly(stream: anyio.abc.ByteReceiveStream, size: int) -> bytes | None:
    """Read so many bytes; None at the end."""
    got = b""
    while len(got) < size:
        try:
            got += await stream.receive(size - len(got))
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return None
    return got


WAYS = pytest.mark.parametrize("dialled", [by_websocket, by_file])
Way: TypeAlias = Callable[[House, Path], AbstractAsyncContextManager[Line]]


@WAYS
async def test_a_worker_takes_a_run_and_ends_it(home: House, tmp_path: Path, dialled: Way) -> None:
    with anyio.fail_after(PATIENCE_S):
        async with dialled(home, tmp_path) as line:
            await line.raw(encode(HELLO))
            run = await home.run()
            (assigned,) = await line.hear()
            assert isinstance(assigned, Assigned)
            assert (assigned.run, assigned.payload) == (run, b"1")
            await line.say(Renewed(4), Completed(run, assigned.epoch, b'"done"'))
            assert await line.hear() == [Ended(run, assigned.epoch)]
    assert (await home.api.retrieve(run)).status == "COMPLETED"


@WAYS
@pytest.mark.parametrize(
    "hello",
    [
        *(b"", b"\xc1", b"{}", encode(Renewed(1)), b"\x91" * 10_000, encode(DECLARED)),
        *(encode(replace(HELLO, **{field: "w" * 257})) for field in ("worker", "version")),
    ],
)
async def test_what_is_no_hello_is_no_worker(
    home: House, tmp_path: Path, dialled: Way, hello: bytes
) -> None:
    with anyio.fail_after(PATIENCE_S):
        async with dialled(home, tmp_path) as line:
            await line.raw(hello)
            assert await line.hear() == []


@WAYS
@pytest.mark.parametrize(
    "frame", [b"", b"\xc1", b"\x91\x91\xa4Nope", encode(Renewed(1)), encode([HELLO])]
)
async def test_what_is_no_frame_ends_the_conversation_and_the_run_is_safe(
    home: House, tmp_path: Path, dialled: Way, frame: bytes
) -> None:
    with anyio.fail_after(PATIENCE_S):
        async with dialled(home, tmp_path) as line:
            await line.raw(encode(HELLO))
            run = await home.run()
            assert len(await line.hear()) == 1
            await line.raw(frame)
            assert await line.hear() == []
    assert (await home.api.retrieve(run)).status == "EXECUTING"


@WAYS
async def test_who_says_no_hello_is_not_waited_for(
    home: House, tmp_path: Path, dialled: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talk, "HELLO_S", 0.05)
    with anyio.fail_after(PATIENCE_S):
        async with dialled(home, tmp_path) as line:
            assert await line.hear() == []


@WAYS
async def test_an_older_attachment_of_the_same_worker_ends(
    home: House, tmp_path: Path, dialled: Way
) -> None:
    with anyio.fail_after(PATIENCE_S):
        async with dialled(home, tmp_path) as older:
            await older.raw(encode(HELLO))
            run = await home.run()
            assert [type(push) for push in await older.hear()] == [Assigned]
            async with by_websocket(home, tmp_path) as newer:
                await newer.raw(encode(HELLO))
                assert await older.hear() == []
                (again,) = await newer.hear()
                assert isinstance(again, Assigned)
                assert again.run == run


async def test_large_frames_go_through(home: House, tmp_path: Path) -> None:
    for way in (by_websocket, by_file):
        with anyio.fail_after(PATIENCE_S):
            async with way(home, tmp_path) as line:
                await line.raw(encode(HELLO))
                run = await home.run()
                (assigned,) = await line.hear()
                assert isinstance(assigned, Assigned)
                await line.say(Completed(run, assigned.epoch, b'"' + b"x" * 1_000_000 + b'"'))
                assert [type(push) for push in await line.hear()] == [Ended]


@WAYS
async def test_one_workers_trouble_is_not_that_of_the_others(
    home: House, tmp_path: Path, dialled: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    with anyio.fail_after(PATIENCE_S):
        async with dialled(home, tmp_path) as line:
            monkeypatch.setattr(talk, "encode", _fail)
            await line.raw(encode(HELLO))
            run = await home.run()
            assert await line.hear() == []
            monkeypatch.undo()
            async with by_websocket(home, tmp_path) as other:
                await other.raw(encode(HELLO))
                (assigned,) = await other.hear()
                assert isinstance(assigned, Assigned)
                assert assigned.run == run


def _fail(_: object) -> bytes:
    raise ZeroDivisionError


# --- who may come --------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "wrong", "admin-token"])
async def test_only_a_secret_key_opens_the_channel(home: House, key: str) -> None:
    given = home.token("admin") if key == "admin-token" else key
    headers = {"authorization": f"Bearer {given}"} if given else {}
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await home.http.ws_connect(home.url + WORKER, headers=headers)

    assert refused.value.status == 401


async def test_a_worker_of_another_environment_gets_nothing(home: House) -> None:
    run = await home.run()
    headers = {"authorization": f"Bearer {OTHER_KEY}"}
    async with home.http.ws_connect(home.url + WORKER, headers=headers) as opened:
        await opened.send_bytes(encode(HELLO))
        await opened.send_bytes(encode([Completed(run, 1, b"1"), Renewed(4)]))
        (push,) = decode_pushes((await opened.receive()).data)
        assert not isinstance(push, Assigned)
    assert (await home.api.retrieve(run)).status == "QUEUED"


async def test_text_is_no_frame(home: House) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    async with home.http.ws_connect(home.url + WORKER, headers=headers) as opened:
        await opened.send_str("hello")
        assert (await opened.receive()).data == 1007


async def test_no_other_path_is_a_websocket(home: House) -> None:
    for path in ("/nowhere", "/health", "/api/v1/runs"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await home.http.ws_connect(home.url + path, headers={"authorization": f"Bearer {KEY}"})
        assert refused.value.status == 404
    said = await home.ask("GET", WORKER)
    assert (said.status, "WebSocket" in str(said.json["error"])) == (400, True)


# --- the socket file -----------------------------------------------------------------------------


async def test_the_file_is_its_owners_and_goes_with_its_server(home: House, tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with serve_unix(path, home.api):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(Mistake, match="another server"):
            async with serve_unix(path, home.api):
                pass
        assert path.exists()
    assert not path.exists()


async def test_a_file_left_by_a_killed_server_is_replaced(home: House, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with serve_unix(path, home.api), await anyio.connect_unix(path):
        pass


async def test_what_is_no_socket_is_left_alone(home: House, tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(Mistake, match="no socket"):
        async with serve_unix(path, home.api):
            pass
    assert path.read_text() == "mine"
    with pytest.raises(Mistake, match="no socket can be made"):
        async with serve_unix(tmp_path / ("x" * 200), home.api):
            pass


async def test_an_end_ends_its_workers(home: House, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with anyio.fail_after(PATIENCE_S):
        async with serve_unix(path, home.api):
            stream = await anyio.connect_unix(path)
            await stream.send(frames.framed(encode(HELLO)))
            await home.run()
            assert await exactly(stream, 1)
        async with stream:
            while await exactly(stream, 1):
                pass


async def test_a_frame_too_large_ends_the_conversation(home: House, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with anyio.fail_after(PATIENCE_S):
        async with serve_unix(path, home.api), await anyio.connect_unix(path) as stream:
            await stream.send(b"\xff\xff\xff\xff")
            assert await exactly(stream, 1) is None
