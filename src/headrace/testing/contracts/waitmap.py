"""What every `WaitMap` promises: the newest word, `Live` for a short time, or nothing.

Asks for the fixtures `waitmap` (an empty one) and `clock` (the one that it was opened with; real
time passes on it).
"""

from __future__ import annotations

from itertools import permutations

import pytest

from headrace.kernel.model import Instant, RunId, StreamId, later
from headrace.ports.storage import Clock
from headrace.ports.waitmap import LIVE_MS, Live, On, WaitMap

RUN = RunId("run-1")
A, B = StreamId("<a"), StreamId('<b "é" ~')
ON_A = On(frozenset({A}))


class WaitMapContract:
    """Saying where runs are, and asking."""

    async def test_nothing_is_known_of_a_run_that_nobody_spoke_of(self, waitmap: WaitMap) -> None:
        await waitmap.parked(RunId("run-2"), 1, frozenset({A}))
        assert await waitmap.where(RUN) is None

    async def test_what_was_said_is_told(self, waitmap: WaitMap, clock: Clock) -> None:
        until = later(clock.now(), LIVE_MS)
        await waitmap.live(RUN, 1, until)
        assert await waitmap.where(RUN) == Live(until)
        await waitmap.parked(RUN, 2, frozenset({A, B}))
        assert await waitmap.where(RUN) == On(frozenset({A, B}))
        await waitmap.parked(RUN, 3, frozenset())
        assert await waitmap.where(RUN) == On(frozenset())
        await waitmap.gone(RUN, 4)
        assert await waitmap.where(RUN) is None
        again = later(clock.now(), LIVE_MS)
        await waitmap.live(RUN, 5, again)
        assert await waitmap.where(RUN) == Live(again)

    @pytest.mark.parametrize("order", list(permutations([7, 9, 10])))
    async def test_in_whatever_order_words_come_the_newest_counts(
        self, waitmap: WaitMap, clock: Clock, order: tuple[int, ...]
    ) -> None:
        for version in order:
            if version == 10:
                await waitmap.parked(RUN, version, frozenset({A}))
            else:
                await waitmap.live(RUN, version, later(clock.now(), LIVE_MS))
        assert await waitmap.where(RUN) == ON_A

    async def test_an_older_wait_does_not_hide_that_the_run_lives(
        self, waitmap: WaitMap, clock: Clock
    ) -> None:
        until = later(clock.now(), LIVE_MS)
        await waitmap.live(RUN, 10, until)
        await waitmap.parked(RUN, 9, frozenset({A}))
        await waitmap.gone(RUN, 8)
        assert await waitmap.where(RUN) == Live(until)

    async def test_who_is_gone_is_not_brought_back_by_older_words(
        self, waitmap: WaitMap, clock: Clock
    ) -> None:
        await waitmap.gone(RUN, 3)
        await waitmap.live(RUN, 2, later(clock.now(), LIVE_MS))
        await waitmap.parked(RUN, 2, frozenset({A}))
        assert await waitmap.where(RUN) is None

    async def test_of_two_words_about_a_version_it_is_not_live_that_counts(
        self, waitmap: WaitMap, clock: Clock
    ) -> None:
        until = later(clock.now(), LIVE_MS)
        await waitmap.live(RUN, 2, until)
        await waitmap.parked(RUN, 2, frozenset({A}))
        assert await waitmap.where(RUN) == ON_A
        await waitmap.live(RUN, 2, until)
        assert await waitmap.where(RUN) == ON_A
        await waitmap.gone(RUN, 2)
        await waitmap.live(RUN, 2, until)
        assert await waitmap.where(RUN) is None

    async def test_of_two_waits_of_a_version_the_later_counts(self, waitmap: WaitMap) -> None:
        await waitmap.parked(RUN, 2, frozenset({B}))
        await waitmap.parked(RUN, 2, frozenset({A}))
        assert await waitmap.where(RUN) == ON_A

    async def test_life_is_prolonged_and_never_shortened(
        self, waitmap: WaitMap, clock: Clock
    ) -> None:
        now = clock.now()
        await waitmap.live(RUN, 2, later(now, 1_000))
        await waitmap.live(RUN, 2, later(now, 1_500))
        assert await waitmap.where(RUN) == Live(later(now, 1_500))
        await waitmap.live(RUN, 2, later(now, 1_200))
        assert await waitmap.where(RUN) == Live(later(now, 1_500))

    async def test_life_ends_at_its_instant(self, waitmap: WaitMap, clock: Clock) -> None:
        until = later(clock.now(), 150)
        await waitmap.live(RUN, 1, until)
        await clock.sleep_until(until)
        assert await waitmap.where(RUN) is None

    async def test_a_life_that_is_over_is_none(self, waitmap: WaitMap, clock: Clock) -> None:
        await waitmap.live(RUN, 1, clock.now())
        assert await waitmap.where(RUN) is None
        await waitmap.live(RUN, 2, Instant(1))
        assert await waitmap.where(RUN) is None

    async def test_nobody_is_said_to_live_far_ahead(self, waitmap: WaitMap, clock: Clock) -> None:
        await waitmap.live(RUN, 1, later(clock.now(), 3_600_000))
        found = await waitmap.where(RUN)
        assert isinstance(found, Live)
        assert found.until <= later(clock.now(), LIVE_MS)

    async def test_versions_are_numbers(self, waitmap: WaitMap) -> None:
        await waitmap.parked(RUN, 9_007_199_254_740_990, frozenset({A}))
        await waitmap.parked(RUN, 9_007_199_254_740_991, frozenset({B}))
        assert await waitmap.where(RUN) == On(frozenset({B}))
        await waitmap.parked(RUN, 2, frozenset({A}))
        assert await waitmap.where(RUN) == On(frozenset({B}))
