"""What is set for a process that serves thousands of connections at once.

Owns: limits and habits of the whole process. Must never know: what is served.
"""

from __future__ import annotations

import gc
import resource
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from headrace.app.home import Home
from headrace.app.serving import Served, serving
from headrace.app.settings import Settings

YOUNG, MIDDLE = 700, 10
"""As Python sets them: looking through what is new takes a few milliseconds."""
SELDOM: Final = 300
"""So many looks through what is not so new come before one through everything."""


@asynccontextmanager
async def serving_many(
    setting: Settings, home: Home, *, wait_for_tasks: bool = False
) -> AsyncGenerator[Served]:
    """Serve until the block ends, as the one purpose of this process."""
    async with serving(setting, home, wait_for_tasks=wait_for_tasks) as served:
        serve_many()
        yield served


def serve_many() -> None:
    """Let many connections be open, and do not stop for long in order to look for garbage."""
    _open_many()
    _stop_seldom()


def _open_many() -> None:
    """Use as many descriptors as the system allows; the usual limit is meant for `select`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _stop_seldom() -> None:
    """Look through everything seldom: it takes a second where thousands follow runs.

    What they leave behind is freed by counting references, which a test holds in place. What has
    been imported is never looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, SELDOM)
