"""Who follows runs without a task of his own: wakes each when what he follows may have changed.

Owns: bells by tag, and the one loop that looks for what hints have missed (law 9): whoever follows
a run or tags costs an event here, however long he stays.
Must never know: what is shown of a run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from headrace.engine.bells import RECHECK_S, Bells
from headrace.engine.rounds import Pace, each
from headrace.kernel.model import EnvId, RunId
from headrace.ports import Revision, Revisions, Tagged

AT_ONCE = 500
"""Runs that one question to the store is about."""
CROWDS_AT_ONCE = 8
"""Questions about tags that are asked at the same time."""
MOST_RUNS = 1_000
"""The newest runs with a tag that are followed; there may be any number."""


@dataclass(slots=True, eq=False)
class Follower:
    """Somebody who follows one run; `seen` is how far that had come when he looked."""

    bell: asyncio.Event
    seen: Revision | None = None


@dataclass(slots=True, eq=False)
class _Crowd:
    """All who follow the same tags; `seen` is what was last found for the earliest of them."""

    env: EnvId
    tags: frozenset[str]
    members: dict[asyncio.Event, Tagged] = field(default_factory=dict[asyncio.Event, Tagged])
    seen: Sequence[Revision] | None = None

    def ring(self) -> None:
        """Have all of them look."""
        for bell in self.members:
            bell.set()

    @property
    def earliest(self) -> Tagged:
        """Return the question that covers those of all."""
        return min(self.members.values(), key=lambda query: query.since)


class Watch:
    """Everybody who follows."""

    def __init__(self, revisions: Revisions, bells: Bells) -> None:
        self._revisions, self._bells = revisions, bells
        self._runs: dict[RunId, set[Follower]] = {}
        self._crowds: dict[tuple[EnvId, frozenset[str]], _Crowd] = {}
        self._by_tag: dict[str, set[_Crowd]] = {}
        """Crowds by one of their tags."""
        self._heard: dict[RunId, None] = {}
        self._wanted, self._news, self.pace = asyncio.Event(), asyncio.Event(), Pace()

    @property
    def count(self) -> int:
        """Return how many follow."""
        crowds = sum(len(crowd.members) for crowd in self._crowds.values())
        return crowds + sum(map(len, self._runs.values()))

    @contextmanager
    def run(self, run_id: RunId) -> Generator[Follower]:
        """Follow a run; clear the bell before looking, and say what was seen."""
        with self._bells.bell(run_id) as bell:
            follower = Follower(bell)
            followers = self._runs.setdefault(run_id, set())
            followers.add(follower)
            self._wanted.set()
            try:
                yield follower
            finally:
                followers.discard(follower)
                if not followers and self._runs.get(run_id) is followers:
                    del self._runs[run_id]

    @contextmanager
    def tags(self, query: Tagged) -> Generator[asyncio.Event]:
        """Follow tags; clear the bell before looking."""
        bell, crowd = asyncio.Event(), self._crowd(query)
        crowd.members[bell] = query
        self._wanted.set()
        try:
            yield bell
        finally:
            del crowd.members[bell]
            if not crowd.members:
                self._disperse(crowd)

    def _crowd(self, query: Tagged) -> _Crowd:
        tags = frozenset(query.tags)
        crowd = self._crowds.get((query.env, tags))
        if crowd is None:
            crowd = self._crowds[query.env, tags] = _Crowd(query.env, tags)
            self._by_tag.setdefault(min(tags), set()).add(crowd)
        return crowd

    def _disperse(self, crowd: _Crowd) -> None:
        del self._crowds[crowd.env, crowd.tags]
        beside = self._by_tag[min(crowd.tags)]
        beside.discard(crowd)
        if not beside:
            del self._by_tag[min(crowd.tags)]

    def hear(self, run_id: RunId) -> None:
        """Take the hint that a run has changed, or has come."""
        if self._crowds:
            self._heard[run_id] = None
            self._news.set()

    async def tell(self) -> None:
        """Ring for whoever follows a tag of the runs that were heard of, for ever."""
        while True:
            await self._news.wait()
            some = list(islice(self._heard, AT_ONCE))
            for run_id in some:
                del self._heard[run_id]
            if not self._heard:
                self._news.clear()
            for tags in (await self._revisions.tags(some)).values():
                for crowd in self._following(tags):
                    crowd.ring()

    def _following(self, tags: Sequence[str]) -> Iterator[_Crowd]:
        for tag in tags:
            for crowd in self._by_tag.get(tag, ()):
                if crowd.tags <= set(tags):
                    yield crowd

    async def recheck(self) -> None:
        """Look for what nobody was told of, for ever, while anybody follows."""
        while True:
            await self.pace.next(self._wanted, RECHECK_S, self.count)
            if not self._runs and not self._crowds:
                self._wanted.clear()
            names = list(self._runs)
            for start in range(0, len(names), AT_ONCE):
                self._compare(await self._revisions.of(names[start : start + AT_ONCE]))
            await each(list(self._crowds.values()), CROWDS_AT_ONCE, self._recheck)

    def _compare(self, found: Mapping[RunId, Revision]) -> None:
        for run_id, revision in found.items():
            for follower in self._runs.get(run_id, ()):
                if follower.seen != revision:
                    follower.bell.set()

    async def _recheck(self, crowd: _Crowd) -> None:
        """Compare with what was found before: whoever came since then has seen no less."""
        if not crowd.members:
            return
        found = await self._revisions.tagged(crowd.earliest, MOST_RUNS)
        if found != crowd.seen:
            crowd.ring()
        crowd.seen = found
