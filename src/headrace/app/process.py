"""What is set for a process that serves thousands of connections at once.

Owns: limits and habits of the whole process. Must never know: what is served.
"""

from __future__ import annotations

import asyncio
import gc
import resource
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from headrace.app.home import Home
from headrace.app.serving import Served, serving
from headrace.app.settings import Settings

YOUNG, MIDDLE = 700, 10
"""As Python sets them."""
OFTEN_S: Final = 0.5
"""So often is looked through what is new, which takes some milliseconds then.

Python does so when there are more new objects than before; where thousands ask again and again,
as many come as go, and what is new would grow until looking through it takes half a second.
"""
SELDOM: Final = 1_200
"""So many looks through what is new come before one through everything: ten minutes at least."""


@asynccontextmanager
async def serving_many(
    setting: Settings, home: Home, *, wait_for_tasks: bool = False
) -> AsyncGenerator[Served]:
    """Serve until the block ends, as the one purpose of this process."""
    async with (
        serving(setting, home, wait_for_tasks=wait_for_tasks) as served,
        asyncio.TaskGroup() as group,
    ):
        serve_many()
        tidying = group.create_task(_tidy_often())
        try:
            yield served
        finally:
            tidying.cancel()


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


async def _tidy_often() -> None:
    """Look through what is new, and so through little, for ever."""
    while True:
        await asyncio.sleep(OFTEN_S)
        gc.collect(1)
