"""What a search leaves out: with it or without, the ends are the same.

Each of these tests compares all ends of small casts: what stands in the tables, what the judge was
told, what was wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import replace
from types import FrameType

import pytest

from headrace.kernel.model import RunId
from tests.explorer import memory, play, search
from tests.explorer.cast import A, Cast
from tests.explorer.loop import QuietLoop
from tests.explorer.map_cast import ONCE, MapCast
from tests.explorer.map_play import MapPlay
from tests.explorer.mapped import MapBackstage, StagedMap, Words
from tests.explorer.play import Play, explored
from tests.explorer.recall import Look, Recall, Step
from tests.explorer.search import Choose, Move, Moves, Report
from tests.explorer.stage import Stage, Waiting
from tests.explorer.staged import Backstage, Process

pytestmark = pytest.mark.timeout(180)  # of searches: seconds alone, many on a busy machine


class WordsAtAnyTime(StagedMap):
    is_lazy = False


class AtAnyTime(MapBackstage):
    def waitmap(self, process: Process, words: Words) -> StagedMap:
        return WordsAtAnyTime(process, words)


Ends = set[Hashable]


def _note(ends: Ends, play: Play, wrong: list[str]) -> list[str]:
    tables = play.stage.tables
    kept = repr((tables.runs, tables.journals, tables.records))
    ends.add((kept, play.stage.past, tuple(wrong)))
    return wrong


class _Noting(Play):
    """Notes with what each schedule ends."""

    ends: Ends

    def _verdict(self, run_id: RunId) -> list[str]:
        return _note(self.ends, self, super()._verdict(run_id))


class _NotingMap(MapPlay):
    """The same of a play about the map."""

    ends: Ends

    def _verdict(self, run_id: RunId) -> list[str]:
        return _note(self.ends, self, super()._verdict(run_id))


def _ends(
    cast: Cast | MapCast, backstage: Callable[[], MapBackstage] = MapBackstage
) -> tuple[Report, Ends]:
    found: Ends = set()

    def make(choose: Choose) -> Play:
        play: _Noting | _NotingMap
        if isinstance(cast, MapCast):
            play = _NotingMap(cast, choose, backstage())
        else:
            play = _Noting(cast, choose, Backstage())
        play.ends = found
        return play

    return explored(make), found


CRASH = replace(ONCE, pulse=0, fate="crash")
LOST = replace(ONCE, pulse=0, fate="lost")
TWICE = replace(ONCE, pulse=2)
CASTS: Sequence[MapCast] = (ONCE, CRASH, LOST)
WITHOUT_MAP: Sequence[Cast] = (
    Cast(A, held=False),
    Cast(A, alone=False),
    Cast(cancel=True, alone=False),
    Cast(A, cancel=True, held=False, alone=False),
)


@pytest.mark.parametrize("cast", [ONCE, TWICE], ids=str)
def test_words_that_arrive_at_any_time_lead_nowhere_else(cast: MapCast) -> None:
    few, ends = _ends(cast)
    more, all_ends = _ends(cast, AtAnyTime)
    assert ends == all_ends
    assert few.states < more.states


def _leave_nothing_out(patch: pytest.MonkeyPatch) -> None:
    """Leave out nothing but what is asleep, and states that are the same in every respect."""
    everything: Callable[[Moves], Moves] = lambda moves: moves  # noqa: E731
    patch.setattr(search, "enough", everything)
    patch.setattr(memory, "dead", _no_names)
    patch.setattr(memory, "_OF_VALUES", ())
    patch.setattr(memory, "_known", {})
    patch.setattr(Stage, "_retire", _none)
    patch.setattr(Stage, "_as_it_is", _as_it_was)
    patch.setattr(Words, "state", Words.whole)
    patch.setattr(play, "Recall", _none)


def _no_names(_frame: FrameType) -> frozenset[str]:
    return frozenset()


def _none(*_of: object) -> None:
    return None


def _as_it_was(stage: Stage, waiting: Waiting) -> Move:
    return replace(waiting.move, given=stage.given(waiting.move))


@pytest.mark.parametrize("cast", [*CASTS, *WITHOUT_MAP], ids=str)
def test_what_is_left_out_leads_nowhere_else(
    cast: Cast | MapCast, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, ends = _ends(cast)
    with monkeypatch.context() as patch:
        _leave_nothing_out(patch)
        more, all_ends = _ends(cast)
    assert ends == all_ends
    assert few.states < more.states


class Suspicious(Recall):
    """Looks at everything, whether it is known or not."""

    def memories(
        self, depth: int, step: Step | None, homes: Collection[str], shared: Hashable, look: Look
    ) -> tuple[tuple[str, int], ...]:
        told = super().memories(depth, step, homes, shared, look)
        assert told == tuple(sorted((home, look(home)) for home in homes))
        return told


@pytest.mark.parametrize("cast", [TWICE, CRASH, LOST], ids=str)
def test_what_processes_remember_is_known_without_a_look(
    cast: MapCast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(play, "Recall", Suspicious)
    assert explored(lambda choose: MapPlay(cast, choose, MapBackstage())).states


def _wrong(*acts: tuple[str, str]) -> list[str]:
    """Return what is wrong with a play in which these processes make these moves, in turn."""
    stage = Stage(lambda moves, _state: moves[0])
    stage.retires, stage.senders = True, frozenset({"sender"})

    async def act() -> None:
        for process, verb in acts:
            await stage.cue(process, verb)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(act())
            await stage.direct()

    with asyncio.Runner(loop_factory=QuietLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, QuietLoop)
        loop.direct(stage.at_rest)
        runner.run(main())
    return stage.wrong


def test_a_server_that_was_thought_to_have_done_its_work_is_told_of() -> None:
    assert _wrong(("sender", "append"), ("sender", "commit"), ("worker", "read")) == []
    again = _wrong(("sender", "append"), ("worker", "read"), ("sender", "commit"))
    assert again == ["sender was thought to do nothing more"]
