"""`python -m tests.limits`: 100,000 unread messages over HTTP, and one more.

They are sent while no worker is there. The next is refused with 429; then a worker starts, and its
task reads all of them in the order of their receipts. Writes docs/reliability/limits.md.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import aiohttp
import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from headrace.app.system import SystemChance, wall_now
from headrace.backends.clocks import CarriedClock
from headrace.client import Client, Target
from headrace.wire.views import FINAL, Receipt, RunView, TriggerOrder
from tests.fleet.processes import Fleet, fleet
from tests.limits import reading

PAGE: Final = Path(__file__).parents[2] / "docs/reliability/limits.md"
TOO_MANY: Final = 429
AT_ONCE: Final = 32
POLL_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened."""

    count: int
    send_s: float
    status: int
    retry_after: str
    unread: int
    read_s: float
    read: reading.Read
    expected: reading.Read

    @property
    def is_good(self) -> bool:
        """Tell whether everything was as promised."""
        return self.read == self.expected and self.status == TOO_MANY and self.unread == self.count


async def measured(ships: Fleet, count: int, bar: Progress) -> Outcome:
    """Send, be refused, read."""
    site = ships.site
    server = await asyncio.to_thread(ships.server)
    worker = await asyncio.to_thread(ships.worker)
    await asyncio.to_thread(worker.stop)  # it has declared its task and stream
    api = Client(Target(site.url, site.key), CarriedClock(wall_now()), SystemChance())
    order = TriggerOrder(payload=msgspec.Raw(b"%d" % count))
    run = (await api.trigger(reading.read_all.id, order)).id
    url = f"{site.url}/realtime/v1/streams/{run}/input/{reading.news.id}"
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {site.key}"}) as session:
        started = time.monotonic()
        numbers = await _sent(session, url, count, bar)
        send_s = time.monotonic() - started
        async with session.post(url, data=b'{"data":-1}') as answer:
            status, retry_after = answer.status, answer.headers.get("retry-after", "")
    unread = (await api.retrieve(run)).unread[reading.news.id]
    started = time.monotonic()
    await asyncio.to_thread(ships.worker)
    view = await _over(api, run, count, bar)
    read_s = time.monotonic() - started
    await api.aclose()
    await asyncio.to_thread(server.stop)
    output = b"" if isinstance(view.output, msgspec.UnsetType) else bytes(view.output)
    read = msgspec.json.decode(output or b'{"count":0,"digest":""}', type=reading.Read)
    expected = reading.Read(count, reading.digest(numbers))
    return Outcome(count, send_s, status, retry_after, unread, read_s, read, expected)


async def _sent(
    session: aiohttp.ClientSession, url: str, count: int, bar: Progress
) -> Sequence[int]:
    """Send the numbers, some at once; return them in the order of their receipts."""
    task, left, places = bar.add_task("sent", total=count), iter(range(count)), dict[int, int]()

    async def lane() -> None:
        for number in left:
            async with session.post(url, data=b'{"data":%d}' % number) as answer:
                answer.raise_for_status()
                receipt = msgspec.json.decode(await answer.read(), type=Receipt)
            places[receipt.seq] = number
            bar.advance(task)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(lane())
    return [places[seq] for seq in sorted(places)]


async def _over(api: Client, run: str, count: int, bar: Progress) -> RunView:
    task = bar.add_task("read", total=count)
    while (view := await api.retrieve(run)).status not in FINAL:
        bar.update(task, completed=count - view.unread.get(reading.news.id, 0))
        await asyncio.sleep(POLL_S)
    bar.update(task, completed=count)
    return view


def page(outcome: Outcome) -> str:
    """Write the outcome down as a page of the documentation."""
    return f"""# A hundred thousand unread messages

A run holds up to 100,000 unread messages, or 256 MiB of them, in all its input streams together.
One more is refused with 429 and `Retry-After`, before anything is stored; nothing that was
acknowledged is dropped.

`python -m tests.limits` sends {outcome.count:,} messages over HTTP to one run while there is no
worker, {AT_ONCE} at once, then one more, and then starts a worker whose task reads them with
`async for`. `make test` does the same with an engine on a file (`tests/limits/test_unread.py`).

| | |
|---|--:|
| date | {datetime.now(UTC):%Y-%m-%d} |
| machine | {os.cpu_count()} cores, Python {platform.python_version()} |
| sent | {outcome.count:,} in {outcome.send_s:.0f} s: {_rate(outcome):,.0f} a second |
| number {outcome.count + 1:,} | {outcome.status}, Retry-After {outcome.retry_after} |
| read by the task | {outcome.read.count:,} in {outcome.read_s:.0f} s, {_order(outcome)} |
"""


def _rate(outcome: Outcome) -> float:
    return outcome.count / outcome.send_s


def _order(outcome: Outcome) -> str:
    return "in order" if outcome.read == outcome.expected else "NOT IN ORDER"


def main(*, count: Annotated[int, typer.Option(help="How many messages fit.")] = 100_000) -> None:
    """Fill a run with unread messages, and let it read them."""
    console = Console(stderr=True)
    with (
        tempfile.TemporaryDirectory(prefix="headrace-limits-") as folder,
        fleet(Path(folder), Path(reading.__file__)) as ships,
        Progress(console=console) as bar,
    ):
        outcome = asyncio.run(measured(ships, count, bar))
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(outcome), "utf-8")
    console.print(f"{outcome}\nwritten: {PAGE}")
    sys.exit(not outcome.is_good)


if __name__ == "__main__":
    typer.run(main)
