"""What `dev`, `serve` and `worker` have in common: signals, addresses.

Must never know: tasks.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import anyio
import psutil
import typer
from rich.text import Text

from headrace.app.home import NAME, Home
from headrace.app.settings import Settings, is_shared, streams_place
from headrace.cli.screen import emit, say
from headrace.cli.signs import fact, near
from headrace.errors import Mistake

_acts: ContextVar[Callable[[], object] | None] = ContextVar("acts", default=None)
"""What a signal to end does at the moment."""

if TYPE_CHECKING:
    from headrace.app.serving import Served

StreamsPlace: TypeAlias = Annotated[
    str, typer.Option("--streams", help="Where streams are: database, or s2://BASIN?endpoint=URL.")
]


DatabasePlace: TypeAlias = Annotated[
    str, typer.Option("--database", help="Where runs are: sqlite:///PATH or postgresql://….")
]
RedisPlace: TypeAlias = Annotated[
    str, typer.Option("--redis", help="Where servers tell each other what changed: redis://….")
]


def kept_at(setting: Settings, database: str, redis: str, streams: str) -> Settings:
    """Return the settings, with the places that the command line names on top."""
    place = streams_place(streams, "--streams") if streams else setting.streams
    return replace(
        setting,
        database=database or setting.database,
        redis=redis or setting.redis,
        streams=place,
    )


def listening(setting: Settings, host: str, port: int | None) -> tuple[Settings, Home]:
    """Return settings and home of a server here, with what the command line says on top."""
    home = Home(setting.home or Path.cwd() / NAME)
    port = setting.port if port is None else port
    setting = replace(setting, host=host or setting.host, port=port)
    if home.path.is_dir():
        home.lock().release()  # a server on the same folder would not get the port, either
    if setting.port and (who := _holder(setting.port)):
        raise Mistake(
            f"port {setting.port} is taken by {who}",
            hint="Choose another one with --port or HEADRACE_PORT, or end that process.",
        )
    return setting, home


def _holder(port: int) -> str:
    """Name the process that listens on the port, as far as we may know."""
    try:
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == port:
                pid = connection.pid
                return f"process {pid} ({psutil.Process(pid).name()})" if pid else "another process"
    except (psutil.Error, OSError):
        return ""  # then binding the port will tell
    return ""


def show_server(served: Served, *, as_json: bool) -> None:
    """Say what serves, and where it keeps what."""
    key = near(served.key_path) if served.key_path else "HEADRACE_SECRET_KEY"
    if as_json:
        event = {
            "event": "serving",
            "url": served.url,
            "key": key,
            "database": served.database,
        }
        if served.redis:
            event["redis"] = served.redis
        if served.streams:
            event["streams"] = served.streams
        emit(event)
        return
    say(Text.assemble(("headrace", "bold"), " serves at ", (served.url, "bold cyan")))
    fact("key", key)
    fact("database", _shown(served.database))
    if served.redis:
        fact("redis", served.redis)
    if served.streams:
        fact("streams", served.streams)


def _shown(database: str) -> str:
    return database if is_shared(database) else near(Path(database))


@contextmanager
def until_told() -> Generator[None]:
    """Run the block until SIGTERM, or until its terminal is closed: both end it in order."""
    with anyio.CancelScope() as scope, _hearing(scope.cancel):
        yield


async def until_told_once(leave: Callable[[], Awaitable[None]]) -> None:
    """Wait for such a signal, and `leave`. Another one meanwhile ends everything, in a hurry."""
    told = asyncio.Event()
    with _hearing(told.set):
        await told.wait()
    await leave()


@contextmanager
def _hearing(act: Callable[[], object]) -> Generator[None]:
    """Act on each of these signals; behind the block, as before."""
    loop = asyncio.get_running_loop()
    before = _acts.get()
    _act(loop, act)
    token = _acts.set(act)
    try:
        yield
    finally:
        _acts.reset(token)
        _act(loop, before)


def _act(loop: asyncio.AbstractEventLoop, act: Callable[[], object] | None) -> None:
    for sign in (signal.SIGTERM, signal.SIGHUP):
        if act is None:
            loop.remove_signal_handler(sign)
        else:
            loop.add_signal_handler(sign, act)
