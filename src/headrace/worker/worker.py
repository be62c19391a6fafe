"""A worker's life: register, attach, execute, renew, come back, drain.

Owns: the connection and its repair, the lease, the end. Runs are `holdings`' business.
Must never know: sockets, or what a task does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import Enum
from typing import Final

import structlog

from headrace.errors import HeadraceError, Trouble, Unavailable
from headrace.ports import WorkApi
from headrace.sdk.execution import Runnable
from headrace.sdk.execution_life import Manner
from headrace.sdk.scope import install
from headrace.wire.channel import Hello, Refusal, Renewed
from headrace.wire.registration import Registration
from headrace.worker.frames import Frames
from headrace.worker.holdings import Holdings
from headrace.worker.options import Options
from headrace.worker.shelf import Shelf

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 0.5
"""A server that is back should have its workers within two seconds."""
LAST_WORDS_S: Final = 5.0
"""How long the end waits for the server's word that the runs given back are nobody's now."""
NEAR: Final = 0.8
VERY_NEAR: Final = 0.95
AT_A_TIME: Final = 1_000
"""Runs that leave between two looks at the memory."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.worker")


class Outcome(Enum):
    """Why a worker has ended."""

    DRAINED = "it was told to"
    RENEW = "its memory limit was near: another one should start"


class Worker:
    """Executes runs of `tasks` for whoever serves `api`."""

    def __init__(
        self,
        api: WorkApi,
        tasks: Mapping[str, Runnable],
        registration: Registration,
        options: Options,
    ) -> None:
        self._api, self._registration, self._options = api, registration, options
        self._frames = Frames(self._frame_sent)
        manner = Manner(
            strict=options.strict,
            evicts=options.evicts,
            sealer=options.sealer,
            keep_warm_s=options.keep_warm_s,
            snapshots=options.snapshots,
            drops=options.drops,
            version=registration.version,
        )
        self._shelf = Shelf()
        self._holdings = Holdings(tasks, self._frames, manner, self._shelf)
        self._holdings.unwinds = options.unwinds
        self._tasks = tuple(tasks)
        self._slots = options.slots
        self._leaves = asyncio.Event()
        self._moved = asyncio.Event()
        self._outcome = Outcome.DRAINED
        self.attached = asyncio.Event()
        """Set while the server knows this worker."""

    @property
    def is_at_rest(self) -> bool:
        """Tell whether every run here waits for something that only others can bring about."""
        return self._holdings.is_at_rest and self._frames.is_empty

    @property
    def runs(self) -> int:
        """Return how many runs the worker holds, executing or warm."""
        return len(self._holdings)

    def drain(self) -> None:
        """Take nothing new, give everything back, end. For signal handlers; twice is once."""
        self._leaves.set()

    def make_room(self, most: int) -> int:
        """Let runs that wait leave, those first that have waited longest; return how many."""
        return self._shelf.press(most)

    async def run(self) -> Outcome:
        """Work until drained. `Unauthorized` and other mistakes end it at once."""
        install(asyncio.get_running_loop())
        failure: HeadraceError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                work = (self._serve(), self._renew(), self._weigh(), self._shelf.run())
                running = [group.create_task(part) for part in work]
                await self._leaves.wait()
                await self._give_back()
                for task in running:
                    task.cancel()
        except* HeadraceError as errors:
            failure = _leaves_of(errors)[0]
        finally:
            self._holdings.abandon()
        if failure is not None:
            raise failure
        return self._outcome

    # --- the connection ----------------------------------------------------------------------

    async def _serve(self) -> None:
        """Be attached; come back when the connection breaks."""
        failures = 0
        is_registered = False
        while True:
            since = asyncio.get_running_loop().time()
            try:
                if not is_registered:
                    await self._api.register(self._registration)
                    is_registered = True
                await self._attached()
            except (Trouble, OSError) as error:
                _log.warning("the server does not answer; trying again", error=str(error))
            finally:
                self.attached.clear()
                self._frames.disconnect()
            if asyncio.get_running_loop().time() - since > LONGEST_PAUSE_S:
                failures = 0
            await asyncio.sleep(self._pause_s(failures))
            failures += 1

    async def _attached(self) -> None:
        """Take what is pushed until the connection ends."""
        hello = Hello(
            worker=self._options.worker,
            version=self._registration.version,
            tasks=self._tasks,
            slots=self._slots,
            holdings=self._holdings.holdings(),
        )
        async with self._api.attach(hello) as link:
            self._frames.connect(link, self._holdings.unanswered())
            self._holdings.come_back()
            self.attached.set()
            async for pushes in link.pushes:
                for push in pushes:
                    if isinstance(push, Refusal) and push.code == Unavailable.code:
                        # It may have happened or not: come again, and ask again for all that is
                        # not answered by what was missed.
                        raise Unavailable(push.message)
                    self._holdings.hear(push)
                self._moved.set()

    def _pause_s(self, failures: int) -> float:
        longest = min(FIRST_PAUSE_S * 2.0 ** min(failures, 16), LONGEST_PAUSE_S)
        return longest * self._options.chance.jitter()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._options.renew_s)
            self._frames.post(Renewed(self._slots))

    # --- the end -----------------------------------------------------------------------------

    def _frame_sent(self) -> None:
        self._moved.set()

    async def _give_back(self) -> None:
        """Let each run reach a wait, within the grace; then give all of them back."""
        self._holdings.takes_more = False
        self._slots = 0
        self._frames.post(Renewed(0))
        try:
            async with asyncio.timeout(self._options.grace_s):
                while len(self._holdings):
                    self._holdings.release(parked_only=True)
                    await self._movement()
        except TimeoutError:
            self._holdings.release(parked_only=False)
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                while len(self._holdings):
                    await self._movement()
        except TimeoutError:
            _log.warning("the server did not confirm the end", runs=len(self._holdings))

    async def _movement(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    async def _weigh(self) -> None:
        """End in time before the memory limit."""
        options = self._options
        limit, rss = options.memory_limit, options.rss
        if limit is None:
            return
        is_tired = False
        while True:
            await asyncio.sleep(options.weigh_s)
            used = await asyncio.to_thread(rss)
            if NEAR * limit < used <= VERY_NEAR * limit and self.make_room(AT_A_TIME):
                continue  # look again when they have left
            if used > limit * NEAR and not is_tired:
                is_tired = True
                self._tire(used, limit)
            if used > limit * VERY_NEAR or (is_tired and options.tired is None):
                self._outcome = Outcome.RENEW
                self.drain()
                return

    def _tire(self, used: int, limit: int) -> None:
        _log.warning("the memory limit is near; no new runs are taken", used=used, limit=limit)
        self._slots = 0
        self._frames.post(Renewed(0))
        self._holdings.release(parked_only=True)
        if self._options.tired is not None:
            self._options.tired()


def _leaves_of(group: BaseExceptionGroup[HeadraceError]) -> tuple[HeadraceError, ...]:
    found: list[HeadraceError] = []
    for error in group.exceptions:
        found += _leaves_of(error) if isinstance(error, BaseExceptionGroup) else (error,)
    return tuple(found)
