"""A server or a worker in this process, under the interpreter's own profiler.

`python -m bench.profiled server|worker OUT` says what `headrace serve` and `headrace worker` say,
and writes its profile when it is told to end.
"""

from __future__ import annotations

import asyncio
import cProfile
import os
import signal
import sys
from pathlib import Path

import msgspec
import uvloop

from bench.work import tasks
from headrace.app import home as homes, settings
from headrace.app.serving import serving
from headrace.app.working import Watcher, work
from headrace.wire.registration import Registration


async def _server() -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    setting = settings.read({**os.environ, "HEADRACE_PORT": "0"})
    home = homes.find(setting.home, Path.cwd())
    async with serving(setting, home) as served:
        _say(event="serving", url=served.url)
        await told.wait()


async def _worker() -> None:
    setting = settings.read(os.environ)
    home = homes.find(setting.home, Path.cwd())

    def ready(_: Registration) -> None:
        _say(event="ready", pid=os.getpid())

    await work(setting, home, Watcher(ready, lambda: None))


def _say(**event: object) -> None:
    print(msgspec.json.encode(event).decode(), flush=True)


def main(which: str, out: str) -> None:
    """Profile until told to end."""
    if not tasks.__file__:
        raise AssertionError("the tasks are there because they were imported")
    profile = cProfile.Profile()
    try:
        profile.runcall(uvloop.run, _server() if which == "server" else _worker())
    finally:
        profile.dump_stats(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
