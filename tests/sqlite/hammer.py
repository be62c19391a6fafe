"""A process that writes to one run as fast as it can, and says what was acknowledged.

    python -m tests.sqlite.hammer FILE NAME COUNT

Each round adds an answer to the journal and a record to the stream, both under a key of its own.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

from headrace.backends.sqlite import open_sqlite
from headrace.kernel.model import Run, RunId
from headrace.ports import Clash, Conflict, Delivering, Stores
from headrace.testing.contracts.given import APPROVAL, draft, remembered

RUN = RunId("run-1")


async def hammer(stores: Stores, name: str, count: int) -> AsyncGenerator[str]:
    """Yield every key once it was acknowledged."""
    for n in range(count):
        key = f"/{name}#{n}"
        while not await _add(stores, key):
            pass
        yield key


async def _add(stores: Stores, key: str) -> bool:
    run = await stores.runs.load(RUN)
    assert run is not None
    assert isinstance(stores.streams, Delivering)
    seq = (await stores.streams.backlog(RUN, APPROVAL, 0)).tail
    one = draft(run, seq, key.encode(), key=key.encode(), digest=b"d")
    try:
        await stores.streams.deliver([one], remembered(run, key))
    except (Conflict, Clash):
        return await _is_there(stores, run, key)
    return True


async def _is_there(stores: Stores, run: Run, key: str) -> bool:
    return await stores.streams.known(run.id, APPROVAL, key.encode()) is not None


async def main(file: str, name: str, count: int) -> None:
    """Write, and print every acknowledged key on a line of its own."""
    async with open_sqlite(Path(file)) as stores:
        async for key in hammer(stores, name, count):
            print(key, flush=True)  # noqa: T201 - the acknowledgement


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
