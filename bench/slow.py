"""`python -m bench.slow`: slow and deaf clients are cut in time, and good ones do not notice.

    python -m bench.slow [--each N] [--json] [--write]

Owns: the order of things, and the page about what came of it. Must never know: how one is slow.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
import psutil
import uvloop

from bench.audience import late
from bench.house import Commands, House, opened
from bench.machine import Machine, machine
from bench.strangers import EVENTS, KINDS, Place, visit
from bench.subscribers_page import Lateness
from bench.work import subscribers as work
from bench.work.subscribers import followed, told
from headrace.app.connecting import DEFAULT_PATIENCE
from headrace.app.home import Home
from headrace.client import Client

PAGE: Final = Path(__file__).parents[1] / "docs/reliability/slow.md"
COMMANDS: Final = Commands.for_file(work.__file__)
MOST_S: Final = 15.0
SEEN_S: Final = 0.5
"""So late may be seen that a connection is gone."""
PATIENCE_S: Final = 60.0
POLL_S: Final = 0.1
GAP_S: Final = 0.01
ALONE_S: Final = 10.0
PACE_S: Final = 1.0
LARGE: Final = "x" * 900_000
RECORD: Final = b'"' + b"x" * 50_000 + b'"'
RECORDS: Final = 400


class Slow(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    each: int
    cut_s: Mapping[str, tuple[float, float]]
    """By what they do: after how long the first and the last of them was cut."""
    uncut: int
    alone: Lateness
    beside: Lateness
    failed: int

    def missed(self) -> list[str]:
        """Say what is not as it must be."""
        return list(self._missed())

    def _missed(self) -> Iterator[str]:
        for kind, (_, last) in self.cut_s.items():
            if last > MOST_S + SEEN_S:
                yield f"those who {kind} were cut after {last:.1f} s"
        if self.uncut:
            yield f"{self.uncut} were not cut"
        if self.failed:
            yield f"{self.failed} requests of a good client failed"


class Good:
    """A client that sends and looks, again and again."""

    def __init__(self, client: Client, run: str) -> None:
        self._client, self._run = client, run
        self.took_ms: list[float] = []
        self.failed = 0

    async def work(self) -> None:
        """Go on until cancelled."""
        while True:
            began = time.monotonic()
            try:
                await told.send(self._run, "well")
                await self._client.retrieve(self._run)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
                print(error, file=sys.stderr)
                self.failed += 1
            self.took_ms.append((time.monotonic() - began) * 1e3)
            await asyncio.sleep(GAP_S)


async def slow(each: int) -> Slow:
    """Go through all of it."""
    async with opened(commands=COMMANDS, patience=DEFAULT_PATIENCE) as house:
        client = house.api(DEFAULT_PATIENCE)
        good = Good(client, (await followed.trigger(1)).id)
        place = await _furnished(house, client)
        async with asyncio.TaskGroup() as group:
            working = group.create_task(good.work())
            await asyncio.sleep(ALONE_S)
            alone, good.took_ms = late(good.took_ms), []
            cut = await _cut(house.pids["server"], place, each)
            working.cancel()
        await client.aclose()
    return Slow(
        each=each,
        cut_s={kind: (min(took), max(took)) for kind, took in cut.items() if took},
        uncut=each * len(KINDS) - sum(map(len, cut.values())),
        alone=alone,
        beside=late(good.took_ms),
        failed=good.failed,
    )


async def _furnished(house: House, client: Client) -> Place:
    """Start a run whose answer is large, and whose output is more than anybody buffers."""
    run = (await followed.trigger(2, metadata={"large": LARGE[:200_000]})).id
    for _ in range(RECORDS // 20):
        await client.write(run, EVENTS, [RECORD] * 20)
    where = urlsplit(client.url)
    host, port = where.hostname or "", where.port or 0
    return Place(host, port, Home(house.home).key(), run, PACE_S)


async def _cut(server: int, place: Place, each: int) -> dict[str, list[float]]:
    """Let strangers come; return, by what they do, how long each of them was there."""
    came, kinds = dict[int, float](), dict[int, str]()
    gone: dict[str, list[float]] = {kind: [] for kind in KINDS}
    process = psutil.Process(server)

    async def one(kind: str) -> None:
        def comes(port: int) -> None:
            came[port], kinds[port] = time.monotonic(), kind

        await visit(kind, place, comes)

    async with asyncio.TaskGroup() as group:
        visits = [group.create_task(one(kind)) for kind in KINDS for _ in range(each)]
        end = time.monotonic() + PATIENCE_S
        while (came or len(kinds) < len(visits)) and time.monotonic() < end:
            await asyncio.sleep(POLL_S)
            there = await asyncio.to_thread(process.net_connections, "tcp")
            held, now = (
                {at.raddr[1] for at in there if at.status == psutil.CONN_ESTABLISHED},
                time.monotonic(),
            )
            for port in [port for port, since in came.items() if now - since > 1.0]:
                if port not in held:
                    gone[kinds[port]].append(now - came.pop(port))
        for task in visits:
            task.cancel()
    return gone


def shown(found: Slow, at: Machine) -> str:
    """Write it down as a page of the documentation."""
    rows = "\n".join(
        f"| {kind} | {first:.1f} s | {last:.1f} s |" for kind, (first, last) in found.cut_s.items()
    )
    missed = found.missed()
    verdict = f"Missed: {'; '.join(missed)}." if missed else "All of it holds."
    return f"""# Slow and deaf clients

`python -m bench.slow --write` starts `headrace serve` as a user does. A good client sends to a run
and looks at it, again and again. Then {found.each * len(KINDS):,} others come at once,
{found.each} who do each of the following, until the server has let go of all of them. Each must be
cut within {MOST_S:g} s of when it came, or, if it does not read, of when it asked: filling the
buffers of the system, which hides that, takes a while of its own. It is looked at from outside,
every {POLL_S:g} s; up to {SEEN_S:g} s more are put down to that.

{at.cores} cores of {at.cpu}, {at.memory_gib:g} GiB, {at.system}, Python {at.python}.
{datetime.now(UTC):%Y-%m-%d}.

| they | the first was cut after | the last |
|---|--:|--:|
{rows}

| the good client | requests | median | 99th percentile | most | failed |
|---|--:|--:|--:|--:|--:|
| alone | {found.alone.count:,} | {_ms(found.alone)} | |
| beside them | {found.beside.count:,} | {_ms(found.beside)} | {found.failed} |

{verdict}
"""


def _ms(each: Lateness) -> str:
    return f"{each.p50:.1f} ms | {each.p99:.1f} ms | {each.most:.1f} ms"


def main(arguments: Sequence[str]) -> int:
    """Measure, show, write down, say whether it is as it must be."""
    parser = argparse.ArgumentParser("python -m bench.slow", description=__doc__)
    parser.add_argument("--each", type=int, default=25, help="how many of each kind")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}")
    options = parser.parse_args(arguments)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found = uvloop.run(slow(options.each))
    with tempfile.TemporaryDirectory(prefix="headrace-slow-") as folder:
        text = shown(found, machine(Path(folder)))
    print(msgspec.json.encode(found).decode() if options.json else text)
    if options.write:
        PAGE.write_text(text, "utf-8")
    return int(bool(found.missed()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
