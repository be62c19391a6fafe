"""Tasks whose runs stand in every state while all routes are asked: the FILE of the worker.

`EDITION` is set to another number for the second worker, so that runs of `change` are blocked.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Any, Final

from headrace import Ok, metadata, step, streams, task

EDITION: Final = os.environ.get("EDITION", "1")


@dataclass
class Approval:
    """What a reviewer says."""

    approved: bool
    note: str = ""


approval = streams.input("approval", Approval)
notes = streams.input("notes")
sealed = streams.input("sealed", str, trusted=True)
lines = streams.output("lines", str)


@task
async def echo(value: Any = None) -> Any:
    """Be over at once."""
    return value


@task
async def count(number: int) -> int:
    """Take a payload that must fit."""
    return number + 1


@task(max_attempts=1)
async def fail(value: Any = None) -> None:
    """Fail."""
    raise ValueError(repr(value))


@task
async def review(value: Any = None) -> str:
    """Write, say something of itself, and wait for a person."""
    await lines.append(f"about {value!r}"[:100])
    metadata.set("seen", 1)
    match await approval.wait(timeout="1h"):
        case Ok(output=answer):
            return f"{answer.approved}"
        case _:
            return "nobody"


@task
async def chat(value: Any = None) -> int:
    """Answer every note until one says so."""
    heard = 0
    async for note in notes:
        if note == "bye":
            break
        heard += 1
        await lines.append(f"{heard}")
    return heard


@task
async def family(value: Any = None) -> str:
    """Start another and wait for what it makes of it."""
    child = await review.trigger(value)
    said: str = await child.result()
    return said


@task(max_duration="1s", max_attempts=1)
async def dawdle(value: Any = None) -> None:
    """Take too long."""
    await asyncio.sleep(60)


@task
async def change(value: Any = None) -> str:
    """Wait, and go on by other steps in another edition."""

    async def work() -> str:
        return EDITION

    first: str = await step(f"first-{EDITION}", work)
    await notes.wait(timeout="1h")
    return first
