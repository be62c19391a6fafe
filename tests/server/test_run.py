"""Starting and ending a server."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import anyio
import pytest
import uvloop
from starlette.types import Receive, Scope, Send

from headrace.errors import Mistake
from headrace.server import run, serve
from headrace.server.work import WORKER
from headrace.wire.channel import Hello, encode
from tests.server.house import KEY, PATIENCE_S, House, house

ASKS = {"authorization": f"Bearer {KEY}"}


async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Be an app that is never asked."""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "", "127.0.0.1.x"])  # noqa: S104
async def test_other_machines_are_not_served_with_a_key_that_nobody_chose(host: str) -> None:
    with pytest.raises(Mistake, match="nobody chose") as refused:
        async with serve(nothing, host=host, port=0):
            pass

    assert "HEADRACE_SECRET_KEY" in refused.value.hint


@pytest.mark.parametrize(
    ("host", "is_key_given"),
    [("127.0.0.1", False), ("localhost", False), ("127.0.0.2", False), ("0.0.0.0", True)],  # noqa: S104
)
async def test_a_port_is_chosen_and_given(host: str, is_key_given: bool) -> None:  # noqa: FBT001
    async with serve(nothing, host=host, port=0, is_key_given=is_key_given) as port:
        with socket.socket() as probe:
            probe.settimeout(PATIENCE_S)
            assert probe.connect_ex((host.replace("0.0.0.0", "127.0.0.1"), port)) == 0  # noqa: S104


async def test_a_port_that_is_taken_is_a_plain_mistake() -> None:
    async with serve(nothing, port=0) as port:
        with pytest.raises(Mistake, match=f"cannot listen on 127.0.0.1:{port}") as refused:
            async with serve(nothing, port=port):
                pass
    assert "--port" in refused.value.hint
    async with serve(nothing, port=port) as again:
        assert again == port


async def test_an_error_within_ends_the_server_and_is_raised_as_it_was() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with serve(nothing, port=0):
            raise ZeroDivisionError
    assert raised.group_contains(ZeroDivisionError)


@asynccontextmanager
async def opened() -> AsyncGenerator[tuple[House, aiohttp.ClientSession]]:
    """Give a house and a session that outlives it."""
    async with aiohttp.ClientSession() as session, house() as home:
        yield home, session


async def test_streams_are_cut_and_channels_closed_at_the_end() -> None:
    """A reader must not take the end of the server for the end of its stream."""
    with anyio.fail_after(PATIENCE_S):
        async with opened() as (home, session):
            started = await home.run()
            url = f"{home.url}/realtime/v1/streams/{started}"
            await home.api.send(started, "notes", b"1")
            readers = [
                await session.get(f"{url}/{path}", headers=ASKS)
                for path in ("progress", "input/notes", "progress")
            ]
            worker = await session.ws_connect(home.url + WORKER, headers=ASKS)
            await worker.send_bytes(encode(Hello(worker="w", version="1", tasks=(), slots=1)))
            await readers[1].content.readuntil(b"\n\n")
            begun = anyio.current_time()
        assert anyio.current_time() - begun < 2.0
        for reader in readers:
            with pytest.raises(aiohttp.ClientPayloadError):
                await reader.read()
        assert (await worker.receive()).data == 1012


async def test_a_reader_that_takes_nothing_does_not_hold_the_end_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "DRAIN_S", 3_600)
    with anyio.fail_after(PATIENCE_S):
        async with opened() as (home, session):
            started = await home.run()
            await home.api.write(started, "progress", [b'"' + b"x" * 1_000_000 + b'"'] * 20)
            deaf = await session.get(
                f"{home.url}/realtime/v1/streams/{started}/progress", headers=ASKS
            )
            path = f"/realtime/v1/streams/{started}/input/notes"
            # While it was filled up, others were served again and again.
            for _ in range(300):
                assert (await home.ask("POST", path, b'{"data":1}')).status == 200
        deaf.close()


async def test_an_answer_that_was_asked_for_is_given_before_the_end() -> None:
    arrived, answered = asyncio.Event(), asyncio.Event()

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        arrived.set()
        await answered.wait()
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-length", b"2")]})  # fmt: skip
        await send({"type": "http.response.body", "body": b"ok"})

    said: list[bytes] = []

    async def ask(port: int) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}") as got,
        ):
            said.append(await got.read())

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group, serve(slow, port=0) as port:
            group.start_soon(ask, port)
            await arrived.wait()
            asyncio.get_running_loop().call_later(0.2, answered.set)
    assert said == [b"ok"]


async def test_an_answer_that_never_comes_does_not_hold_the_end_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run.DRAIN_S < 10
    monkeypatch.setattr(run, "DRAIN_S", 0.2)
    arrived, cancelled = asyncio.Event(), asyncio.Event()

    async def stuck(_scope: Scope, _receive: Receive, _send: Send) -> None:
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def ask(port: int) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}") as got,
        ):
            assert got.status == 500

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            async with serve(stuck, port=0) as port:
                group.start_soon(ask, port)
                await arrived.wait()
            group.cancel_scope.cancel()
    assert cancelled.is_set()


def test_it_runs_on_the_fast_event_loop() -> None:
    async def visit() -> None:
        async with house() as home:
            started = await home.run()
            path = f"/realtime/v1/streams/{started}/input/notes"
            assert (await home.ask("POST", path, b'{"data":1}')).status == 200
            big = b'{"data":"' + b"x" * 2_000_000 + b'"}'
            assert (await home.ask("POST", path, big)).status == 413
            await home.api.cancel(started)
            async with home.http.get(home.url + path, headers=ASKS) as reader:
                assert b'"seq_num":0' in await reader.read()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(visit())
