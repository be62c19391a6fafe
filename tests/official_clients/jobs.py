"""Tasks that the JavaScript clients start: the FILE of the worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headrace import Ok, TimedOut, current_run, streams, task, wait


@dataclass
class Approval:
    """What a reviewer says."""

    approved: bool
    reviewer: str
    note: str = ""


@dataclass
class Order:
    """A payload with a type."""

    item: str
    count: int = 1


@dataclass
class Line:
    """What `write` writes."""

    n: int
    text: str


@dataclass
class Payment:
    """What somebody pays."""

    amount: int
    method: str = "card"


approval = streams.input("approval", Approval)
notes = streams.input("notes")
sealed = streams.input("sealed", str, trusted=True)
go = streams.input("go", int)
lines = streams.output("lines", Line)


@task
async def echo(value: Any = None) -> Any:
    """Return what came, as it came."""
    return value


@task(max_attempts=1)
async def wordy(size: int) -> str:
    """Return so many letters."""
    return "x" * size


@task
async def spell(value: Any = None) -> str:
    """Say how Python writes what came."""
    return repr(value)


@task
async def order(order: Order) -> str:
    """Take a payload that must fit."""
    return f"{order.count} x {order.item}"


@task
async def review(title: str) -> str:
    """Wait for a person."""
    match await approval.wait(timeout="5m"):
        case Ok(output=answer):
            word = "published" if answer.approved else "rejected"
            return f"{title} is {word} by {answer.reviewer}"
        case TimedOut():
            return f"nobody looked at {title}"


@task
async def collect(count: int) -> list[Any]:
    """Take so many notes, in their order."""
    return [await notes.wait().unwrap() for _ in range(count)]


@task
async def measure() -> int:
    """Say how long a note is."""
    return len(await notes.wait().unwrap())


@task
async def write() -> int:
    """Write as many lines as it is told to, again and again, until it is told 0."""
    written = 0
    while more := await go.wait().unwrap():
        for _ in range(more):
            await lines.append(Line(written, f"line {written}"))
            written += 1
    return written


@task(max_attempts=1)
async def fail(words: str) -> None:
    """Fail."""
    raise ValueError(words)


@task(max_attempts=2)
async def slow_to_start() -> str:
    """End at once; it is started with a delay."""
    return "done"


@task
async def bill(token: str) -> str:
    """Wait until somebody pays."""
    match await wait.for_token(token, Payment):
        case Ok(output=paid):
            return f"{paid.amount} by {paid.method}"
        case TimedOut():
            return "nobody has paid"


@task
async def invoice() -> str:
    """Make a token that its run is found by, and wait for it."""
    token = await wait.create_token(timeout="5m", tags=[current_run().id])
    return (await wait.for_token(token, Payment).unwrap()).method
