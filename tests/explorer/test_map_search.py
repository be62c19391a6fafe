"""When words to the wait map arrive: to choose it at each question loses no outcome."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import pytest

from headrace.kernel.model import RunId
from tests.explorer.map_cast import ONCE, MapCast
from tests.explorer.map_play import MapPlay
from tests.explorer.mapped import MapBackstage, StagedMap, Words
from tests.explorer.play import explored
from tests.explorer.search import Choose, Report
from tests.explorer.staged import Process


class WordsAtAnyTime(StagedMap):
    is_lazy = False


class AtAnyTime(MapBackstage):
    def waitmap(self, process: Process, words: Words) -> StagedMap:
        return WordsAtAnyTime(process, words)


class _Noting(MapPlay):
    """Notes with what each schedule ends."""

    ends: set[Hashable]

    def _verdict(self, run_id: RunId) -> list[str]:
        wrong, tables = super()._verdict(run_id), self.stage.tables
        kept = repr((tables.runs, tables.journals, tables.records))
        self.ends.add((kept, self.stage.past, tuple(wrong)))
        return wrong


def _ends(cast: MapCast, backstage: Callable[[], MapBackstage]) -> tuple[Report, set[Hashable]]:
    found: set[Hashable] = set()

    def make(choose: Choose) -> MapPlay:
        play = _Noting(cast, choose, backstage())
        play.ends = found
        return play

    return explored(make), found


CASTS: Sequence[MapCast] = (ONCE,)  # with `crash` it holds as well, and takes longer


@pytest.mark.timeout(180)
@pytest.mark.parametrize("cast", CASTS, ids=str)
def test_words_that_arrive_at_any_time_lead_nowhere_else(cast: MapCast) -> None:
    few, ends = _ends(cast, MapBackstage)
    more, all_ends = _ends(cast, AtAnyTime)
    assert ends == all_ends
    assert few.states < more.states
