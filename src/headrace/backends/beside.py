"""What a store does by itself, for as long as it is open."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager

import anyio


@asynccontextmanager
async def beside(*services: Callable[[], Coroutine[None, None, None]]) -> AsyncGenerator[None]:
    """Run `services` as long as the body runs; what the body raises comes out as it is."""
    failure: BaseException | None = None
    async with anyio.create_task_group() as group:
        for service in services:
            group.start_soon(service)
        try:
            yield
        except BaseException as error:  # noqa: BLE001 - raised again below, outside the group
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
