"""What servers share beside the database: the wait map, the seats of workers, and hints.

Owns: which of their verbs are moves.
A word to the map is under way until it arrives: so it may come late, or never. The map may be
emptied. All hints are lost until the play heals.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Final

from headrace.backends.broadcast import Broadcast
from headrace.backends.memory.around import MemoryLeases
from headrace.backends.memory.tables import Tables
from headrace.backends.memory.waitmap import MemoryWaitMap
from headrace.kernel.commands import Claim
from headrace.kernel.model import (
    EnvId,
    Instant,
    Over,
    Run,
    RunId,
    StreamId,
    TaskId,
    WorkerId,
    later,
)
from headrace.ports import Filter, Live, On, Stores
from headrace.ports.waitmap import LIVE_MS
from tests.explorer.stage import LEASE, MAP, RUN, Phase, Stage
from tests.explorer.staged import Backstage, Process, StagedClock, StagedRuns

_MAP: Final = frozenset({MAP})
_LEASE: Final = frozenset({LEASE})
_RUN: Final = frozenset({RUN})


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """Something that is said to the map."""

    run_id: RunId
    version: int
    what: Hashable
    label: str
    tell: Callable[[MemoryWaitMap], Awaitable[None]]


@dataclass(slots=True)
class Words:
    """What has arrived at the map, and what has not yet."""

    inner: MemoryWaitMap
    stage: Stage
    group: asyncio.TaskGroup = field(default_factory=asyncio.TaskGroup)
    newest: dict[RunId, int] = field(default_factory=dict[RunId, int])
    """Of each run, the newest version that anything was said about since the map was emptied."""
    pending: list[Word] = field(default_factory=list[Word])
    is_slow: bool = False
    """Whether words are under way also while the play has not begun."""
    arriving: dict[Word, asyncio.Task[None]] = field(default_factory=dict[Word, asyncio.Task[None]])

    def say(self, word: Word) -> None:
        """Let the word be under way; in which order words were said, nobody sees any more."""
        insort(self.pending, word, key=lambda one: repr(one.what))

    def state(self) -> Hashable:
        """Return what may still be told to somebody: nothing, if nobody will ask."""
        return self.whole() if self.stage.asking else None

    def whole(self) -> Hashable:
        """Return what has arrived, and what is under way."""
        entries = repr(self.inner._entries)  # pyright: ignore[reportPrivateUsage]  # the judge looks inside
        return entries, repr(self.newest), self.given()

    def given(self) -> Hashable:
        """Return what is under way."""
        return tuple(word.what for word in self.pending)

    def version(self, run_id: RunId) -> int:
        """Return the version that the map's word about the run is about."""
        return self.inner._entries[run_id].version  # pyright: ignore[reportPrivateUsage]  # the judge looks inside

    def empty(self, inner: MemoryWaitMap) -> None:
        """Lose everything that has arrived."""
        self.inner = inner
        self.newest.clear()

    async def take(self, word: Word) -> None:
        """Let the word have arrived."""
        await word.tell(self.inner)
        self.newest[word.run_id] = max(word.version, self.newest.get(word.run_id, word.version))


class StagedMap:
    """The `WaitMap` port, move by move.

    When a word arrives is of no consequence until somebody asks. So whoever asks has a turn, and
    in one step with it is chosen which words have arrived by now, and in which order. That is
    sound: an arrival touches the map alone, so it may change places with every move before the next
    question; with an emptying of the map, too, for what arrived before that might as well
    never arrive. `is_lazy` is False where a search is to show it: then words arrive at any time.
    """

    is_lazy = True

    def __init__(self, process: Process, words: Words) -> None:
        self._process, self._words = process, words

    async def where(self, run_id: RunId) -> Live | On | None:
        words, process = self._words, self._process
        await process.read("where", _MAP)
        if self.is_lazy and words.pending and process.stage.phase is Phase.DIRECTED:
            self._let_arrive()
            try:
                await process.stage.cue(process.name, "is told", reads=_MAP, at_once=True)
            finally:
                self._hold_up()
        self._asks_once()
        found = await words.inner.where(run_id)
        if isinstance(found, Live):
            self._judge(run_id)
        return found

    def _asks_once(self) -> None:
        """Hold what makes the map forgettable: each sender asks once, and nobody else does."""
        stage, name = self._process.stage, self._process.name
        if stage.phase is Phase.OPENING:
            return
        if name not in stage.asking:
            stage.wrong.append(f"{name} asks the map, and was thought not to")
        stage.asking -= {name}

    def _judge(self, run_id: RunId) -> None:
        """Look whether that may be told (rules 2 and 3 of the port, and law 7)."""
        stage, words = self._process.stage, self._words
        if words.version(run_id) < words.newest[run_id]:
            stage.wrong.append("the map says live, and has heard something newer")
        state = stage.tables.runs[run_id].state
        if isinstance(state, Over) and stage.now >= later(state.at, LIVE_MS):
            stage.wrong.append("a run is said to live long after its end")

    async def live(self, run_id: RunId, version: int, until: Instant) -> None:
        await self._say(
            "live", until, run_id, version, lambda inner: inner.live(run_id, version, until)
        )

    async def parked(self, run_id: RunId, version: int, streams: frozenset[StreamId]) -> None:
        await self._say(
            "parked", streams, run_id, version, lambda inner: inner.parked(run_id, version, streams)
        )

    async def gone(self, run_id: RunId, version: int) -> None:
        await self._say("gone", None, run_id, version, lambda inner: inner.gone(run_id, version))

    async def _say(
        self,
        what: str,
        more: Hashable,
        run_id: RunId,
        version: int,
        tell: Callable[[MemoryWaitMap], Awaitable[None]],
    ) -> None:
        word = Word(run_id, version, (what, version, more), f"{what} {version} arrives", tell)
        if self._process.stage.phase is not Phase.DIRECTED and not self._words.is_slow:
            await self._words.take(word)
            return
        self._words.say(word)
        if not self.is_lazy:
            self._let_arrive()

    def _let_arrive(self) -> None:
        words = self._words
        for word in words.pending:
            if word not in words.arriving:
                words.arriving[word] = words.group.create_task(self._arrive(word))

    def _hold_up(self) -> None:
        for task in self._words.arriving.values():
            task.cancel()
        self._words.arriving.clear()

    async def _arrive(self, word: Word) -> None:
        words, wire = self._words, f"{self._process.name} >"
        stage = self._process.stage
        await stage.cue(wire, word.label, reads=_MAP, writes=_MAP, at_once=self.is_lazy)
        words.pending.remove(word)
        words.arriving.pop(word, None)
        await words.take(word)


class StagedLeases:
    """The `Leases` port: sitting down and renewing are moves.

    Where nobody sits down in the play, and no lease lapses, they touch what nobody else does. Where
    only one server is left that has to do with them, nothing about them is a move.
    """

    def __init__(
        self,
        process: Process,
        *,
        sits: bool = True,
        lapses: bool = True,
        is_one: bool = False,
    ) -> None:
        self._process, self._inner = process, MemoryLeases(process.stage.tables)
        self._touches: frozenset[str] = _LEASE if sits or lapses else frozenset()
        self._may_lapse, self._is_one = lapses, is_one

    async def sit(self, worker: WorkerId, until: Instant) -> int:
        stage = self._process.stage
        if stage.phase is Phase.DIRECTED:
            await stage.cue(self._process.name, "sit", writes=self._touches)
        return await self._inner.sit(worker, until)

    async def renew(self, worker: WorkerId, until: Instant, seat: int) -> Instant:
        await self._move("renew")
        return await self._inner.renew(worker, until, seat)

    async def drop(self, worker: WorkerId, now: Instant) -> bool:
        await self._move("drop")
        return await self._inner.drop(worker, now)

    async def _move(self, verb: str) -> None:
        if not self._is_one:
            touched, stage = self._touches, self._process.stage
            await stage.cue(self._process.name, verb, reads=touched, writes=touched)

    async def lapsed(self, now: Instant) -> Sequence[WorkerId]:
        stage = self._process.stage
        if self._may_lapse and stage.phase is Phase.DIRECTED and not self._is_one:
            await stage.cue(self._process.name, "lapsed", reads=self._touches | _RUN)
        found = await self._inner.lapsed(now)
        if found and not self._may_lapse and stage.phase is Phase.DIRECTED:
            stage.wrong.append("a lease has lapsed")
        return found

    async def extend(self, until: Instant) -> None:
        await self._inner.extend(until)


class IdleRuns(StagedRuns):
    """What is asked when a worker sits down finds nothing: no run is blocked, none is queued."""

    async def find(self, query: Filter) -> Sequence[Run]:  # noqa: ARG002 - the port's
        return ()

    async def claim(
        self,
        command: Claim,  # noqa: ARG002 - the port's
        env: EnvId,  # noqa: ARG002
        tasks: Sequence[TaskId],  # noqa: ARG002
        now: Instant,  # noqa: ARG002
        limit: int,  # noqa: ARG002
    ) -> Sequence[Run]:
        return ()


class LostHints:
    """The `Wakeups` port: nothing is heard, until somebody says that anything may have happened."""

    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast

    async def announce(self, run_id: RunId, by: str = "") -> None:
        """Tell nobody."""

    def listen(self, but: str = "") -> AbstractAsyncContextManager[AsyncIterator[RunId]]:
        return self._broadcast.listen(but)


@dataclass(frozen=True, slots=True)
class _Ends:
    """What stands in the leases."""

    tables: Tables

    def state(self) -> Hashable:
        return repr(self.tables.leases)

    def given(self) -> Hashable:
        return None


class MapBackstage(Backstage):
    """All that several servers share, the map among it."""

    def __init__(self) -> None:
        super().__init__()
        self.hints = Broadcast()
        self.is_idle = False
        """Whether no run is queued any more."""
        self.sits, self.lapses, self.leases_of_one = True, True, False
        """Whether anybody sits down in the play, a lease lapses, one server sees to all of it."""
        self.words: Words | None = None

    def stores(self, process: Process, *, delivering: bool) -> Stores:
        """Return the stores as `process` sees them."""
        if self.words is None:
            stage = process.stage
            self.words = Words(self.new_map(StagedClock(process)), stage)
            stage.shared += [self.words, _Ends(stage.tables)]
            stage.constant += [self.hints, self._catalog, self._credentials]
        words = self.words
        return replace(
            super().stores(process, delivering=delivering),
            leases=self.leases(process),
            wakeups=LostHints(self.hints),
            waitmap=self.waitmap(process, words),
        )

    def runs(self, process: Process, *, delivering: bool) -> StagedRuns:
        """Return the runs as `process` sees them."""
        kind = IdleRuns if self.is_idle else StagedRuns
        return kind(process, delivering=delivering)

    def new_map(self, clock: StagedClock) -> MemoryWaitMap:
        """Return an empty map."""
        return MemoryWaitMap(clock)

    def waitmap(self, process: Process, words: Words) -> StagedMap:
        """Return the map as `process` sees it."""
        return StagedMap(process, words)

    def leases(self, process: Process) -> StagedLeases:
        """Return the leases as `process` sees them."""
        return StagedLeases(
            process,
            sits=self.sits,
            lapses=self.lapses,
            is_one=self.leases_of_one,
        )
