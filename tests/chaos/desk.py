"""Who starts the runs, tells them when to end, and waits until they have.

Owns: the calls to the server that are no part of the experiment; they are made until they succeed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from itertools import cycle, islice
from types import TracebackType
from typing import Final, Self

from headrace.app.system import SystemChance, wall_now
from headrace.backends.clocks import CarriedClock
from headrace.client import Client, Patience, Target
from headrace.errors import Mistake
from headrace.wire.views import FINAL, RunView, TriggerOrder
from tests.chaos.workload import END, digest
from tests.fleet.processes import Site
from tests.history import events as e

PATIENCE: Final = Patience(attempts=100, first_s=0.2, factor=1.0, total_s=60.0)
POLL_S: Final = 0.25


class Unfinished(Exception):
    """Runs did not end although everything was up again."""


class Desk:
    """Talks to the server of a site, about runs that read these streams."""

    def __init__(self, site: Site, streams: Sequence[str]) -> None:
        self._site, self._streams = site, streams
        self._runner = asyncio.Runner()
        self._client: Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            self._runner.run(self._client.aclose())
        self._runner.close()

    def _api(self) -> Client:
        if self._client is None:
            target = Target(self._site.url, self._site.key, patience=PATIENCE)
            self._client = Client(target, CarriedClock(wall_now()), SystemChance())
        return self._client

    def trigger(self, tasks: Sequence[str], count: int) -> list[str]:
        """Start runs of each task in turn; return their ids."""
        return self._runner.run(self._trigger(tasks, count))

    async def _trigger(self, tasks: Sequence[str], count: int) -> list[str]:
        api, chosen = self._api(), islice(cycle(tasks), count)
        return [(await api.trigger(task, TriggerOrder())).id for task in chosen]

    def finish(self, runs: list[str], pen: e.Pen, *, patience_s: float) -> None:
        """Tell every run on every stream that this was all, and wait until it has returned."""
        self._runner.run(self._finish(runs, pen, patience_s))

    async def _finish(self, runs: list[str], pen: e.Pen, patience_s: float) -> None:
        for run in runs:
            for stream in self._streams:
                await self._end(run, stream, pen)
        deadline = time.monotonic() + patience_s
        while left := [view async for view in self._views(runs) if view.status not in FINAL]:
            if time.monotonic() > deadline:
                raise Unfinished(f"{len(left)} run(s) did not end: {left[0]}")
            await asyncio.sleep(POLL_S)

    async def _views(self, runs: list[str]) -> AsyncGenerator[RunView]:
        for run in runs:
            yield await self._api().retrieve(run)

    async def _end(self, run: str, stream: str, pen: e.Pen) -> None:
        name = f"end:{run}:{stream}"
        pen.write(
            e.SendInvoke(
                at=e.instant(),
                id=name,
                sender="desk",
                run=run,
                stream=stream,
                key=name,
                digest=digest(END),
            )
        )
        try:
            receipt = await self._api().send(run, stream, f'"{END}"'.encode(), key=name)
        except Mistake as error:  # the run has ended already; the judge will ask why
            pen.write(e.SendFail(at=e.instant(), id=name, code=error.code))
            return
        ok = e.SendOk(at=e.instant(), id=name, seq=receipt.seq, duplicate=receipt.duplicate)
        pen.write(ok)
