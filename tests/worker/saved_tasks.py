"""Tasks that are saved while they wait, and what they leave behind in this process.

Must never know: when they are saved.
"""

import asyncio
import contextvars
from decimal import Decimal
from threading import Lock

from headrace import Handle, Ok, current_run, metadata, resource, step, streams, task, wait
from tests.sdk.branches import branch

number = streams.input("number", int)
other = streams.input("other", int)
shade = contextvars.ContextVar("shade", default="none")
ran: list[str] = []
"""What code outside the journal has done."""


class Big:
    """Something whose end can be seen."""

    alive = 0

    def __init__(self) -> None:
        Big.alive += 1

    def __setstate__(self, state: object) -> None:
        Big.alive += 1

    def __getstate__(self) -> object:
        return True

    def __del__(self) -> None:
        Big.alive -= 1


@step
async def doubled(value: int) -> int:
    ran.append("step")
    return 2 * value


@task
async def summed(first: int) -> list[int]:
    ran.append("begins")
    kept = [await doubled(first)]
    big = Big()
    try:
        kept.append(await number.wait().unwrap())
        ran.append("between")
        async for found in number:
            kept.append(found)
            break
        match await number.wait(timeout="1h"):
            case Ok(output=found):
                kept.append(found)
            case late:
                kept.append(-len(str(late.error)))
    finally:
        ran.append("finally")
    del big
    return kept


@task
async def paused() -> str:
    ran.append("begins")
    await wait.for_("1h")
    ran.append("between")
    return current_run().id


@task
async def counting(most: int) -> int:
    total = 0
    for _ in range(most):
        ran.append("turn")
        total += await number.wait().unwrap()
    return total


@task
async def listening(most: int) -> int:
    total = 0
    async for found in number:
        ran.append(f"heard {found}")
        total += found
        if found == most:
            return total
    return -1


@task
async def noting() -> int:
    metadata.set("stage", "first")
    return await number.wait().unwrap()


@task
async def locking() -> int:
    lock = Lock()
    found = await number.wait().unwrap()
    return found + lock.locked()


@task
async def branching() -> int:
    beside = branch(other.wait().unwrap())
    found = await number.wait().unwrap()
    found += await beside
    del beside
    return found


@task
async def hearing() -> int:
    heard: list[int] = []
    other.on(heard.append)
    return await number.wait().unwrap() + sum(heard)


@task
async def shading() -> str:
    token = shade.set("dark")
    await number.wait()
    shade.reset(token)
    del token  # it is of no use any more, and could not be saved
    await number.wait()
    return shade.get()


@task(snapshot=False)
async def staying() -> int:
    ran.append("begins")
    return await number.wait().unwrap()


@task(keep_warm="1h")
async def lukewarm() -> int:
    first = await number.wait().unwrap()
    return first + await number.wait(keep_warm="0s").unwrap()


@task
async def holding() -> tuple[str, int, str]:
    """Hold the sdk's own things in variables across a wait."""
    handle: Handle[list[int]] = await summed.trigger(1)
    stream, again, effect = number, summed, doubled
    heard = other.on(print)
    heard.off()
    await asyncio.sleep(0)
    opened = resource(dict[str, int])
    opened.get()["once"] = 1
    price = Decimal("1.10") * 3
    found = await stream.wait().unwrap()
    assert (again, effect, stream) == (summed, doubled, number)
    await number.send(handle.id, found)
    heard.off()
    return handle.id, len(opened.get()), str(price)
