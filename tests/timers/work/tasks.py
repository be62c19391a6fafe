"""Tasks that wait for time to pass: the FILE of the worker."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TypedDict

from headrace import streams, task, wait


class Woken(TypedDict):
    """When a run went on: by the machine's wall clock, and how long it had waited, in ms."""

    at: float
    waited: float


class Nap(TypedDict):
    """How long to wait, and for what."""

    ms: int
    silently: bool


class Appointment(TypedDict):
    """Until when to wait, in ms since the epoch, and for what."""

    at: int
    silently: bool


never = streams.input("never", str)


@task
async def nap(payload: Nap) -> Woken:
    """Wait for as long as said: for time alone, or for a message that does not come."""
    start = time.monotonic()
    if payload["silently"]:
        await never.wait(timeout=payload["ms"] / 1_000)
    else:
        await wait.for_(payload["ms"] / 1_000)
    return _woken(start)


@task
async def appointment(payload: Appointment) -> Woken:
    """Wait until then: for time alone, or for a message that does not come."""
    start, moment = time.monotonic(), datetime.fromtimestamp(payload["at"] / 1_000, UTC)
    if payload["silently"]:
        await never.wait(until=moment)
    else:
        await wait.until(moment)
    return _woken(start)


def _woken(start: float) -> Woken:
    return {"at": time.time() * 1_000, "waited": (time.monotonic() - start) * 1_000}
