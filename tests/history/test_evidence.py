"""A pass that means nothing is found out, and a history survives its writer's death."""

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from tests.history import clean, events as e
from tests.history.evidence import Demand, missing, show
from tests.history.story import tell

ALL = Demand(
    acknowledged=6,
    duplicates=2,
    taken=5,
    replayed=2,
    timeouts=1,
    senders=frozenset({"raw"}),
    verbs=frozenset({"wait"}),
    faults={"server": 1},
)


def test_what_is_there_is_counted() -> None:
    evidence = show(tell(clean.history()))
    assert (evidence.calls, evidence.acknowledged, evidence.duplicates) == (10, 6, 2)
    assert (evidence.unknown, evidence.refused) == (3, 1)
    assert (evidence.taken, evidence.replayed, evidence.timeouts) == (5, 2, 1)
    assert missing(evidence, ALL) == []


@pytest.mark.parametrize(
    ("demand", "complaint"),
    [
        (replace(ALL, acknowledged=7), "acknowledged: 6 of at least 7"),
        (replace(ALL, duplicates=3), "duplicates: 2 of at least 3"),
        (replace(ALL, taken=6), "taken: 5 of at least 6"),
        (replace(ALL, replayed=3), "replayed: 2 of at least 3"),
        (replace(ALL, timeouts=2), "timeouts: 1 of at least 2"),
        (replace(ALL, success=0.7), "success: 60% of at least 70%"),
        (replace(ALL, senders=frozenset({"sync"})), "sender sync was never acknowledged"),
        (replace(ALL, verbs=frozenset({"on"})), "on never gave a value"),
        (replace(ALL, faults={"server": 2}), "server while a send was under way: 1 of at least 2"),
        (replace(ALL, faults={"worker": 1}), "worker while a send was under way: 0 of at least 1"),
    ],
)
def test_what_is_missing_is_said(demand: Demand, complaint: str) -> None:
    assert missing(show(tell(clean.history())), demand) == [complaint]


@pytest.mark.parametrize("why", ["ConnectionRefusedError(111)", "no answer: nothing listens there"])
def test_a_call_that_nobody_listened_to_is_no_failure(why: str) -> None:
    """How many there are depends on how soon a server is back, and says nothing of it."""
    history = [
        structs.replace(event, why=why) if isinstance(event, e.SendInfo) else event
        for event in clean.history()
    ]
    evidence = show(tell(history))
    assert (evidence.unknown, evidence.unheard) == (3, 2)
    assert missing(evidence, replace(ALL, success=0.7)) == []


def test_an_empty_history_proves_nothing() -> None:
    assert len(missing(show(tell([])), ALL)) == 9


def test_a_fault_while_nobody_sends_does_not_count() -> None:
    history = [*clean.history(), e.Fault(at=10_000, kind="worker")]
    evidence = show(tell(history))
    assert evidence.faults["worker"] == 1
    assert evidence.faults_while_sending["worker"] == 0


def test_histories_of_several_processes_come_together_in_order(tmp_path: Path) -> None:
    history = clean.history()
    paths = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    for i, path in enumerate(paths):
        with e.Pen(path) as pen:
            pen.write(*history[i::2])
    assert e.merge(e.read(path) for path in paths) == history


def test_a_line_that_a_kill_cut_off_never_happened(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    with e.Pen(path) as pen:
        pen.write(*clean.history()[:3])
    path.write_bytes(path.read_bytes()[:-5])
    assert list(e.read(path)) == clean.history()[:2]
