"""Every construct of the matrix is saved in one process and goes on in another."""

from __future__ import annotations

import sys

import pytest

from tests.frames import verdicts
from tests.frames.matrix import Column, column, table
from tests.frames.verdicts import Answers, Verdict, judged

NATIVE = {"naming": (), "gives": "1", "result": "1", "theme": "t", "construct": "c"}
SAVED = {"saved": ["a"], "result": "1", "effects": []}


@pytest.mark.timeout(120)
def test_every_construct_is_saved_and_resumed() -> None:
    made = column(sys.executable)
    wrong = [f"{one.name}: {fault}" for one in made.verdicts for fault in one.faults]
    assert not wrong, "\n" + "\n".join(wrong)
    assert len(made.verdicts) > 200
    assert sum(one.suspensions for one in made.verdicts) > 500


def _verdict(
    save: verdicts.Answer, resume: verdicts.Answer, naming: tuple[str, ...] = ()
) -> Verdict:
    return judged("x", NATIVE | {"naming": naming}, [Answers("hook", save, resume)])


def test_what_is_as_it_must_be_is_good() -> None:
    verdict = _verdict(SAVED, {"results": ["1", "1"]})
    assert verdict.is_good
    assert "| `x` | c | 1 |" in table([Column("3.11", [verdict])])


@pytest.mark.parametrize(
    ("save", "resume"),
    [
        ({"not_saved": "no"}, {}),
        ({"not_resumable": "no"}, {}),
        ({"raised": "KeyError"}, {}),
        (SAVED | {"result": "2"}, {"results": ["1"]}),
        (SAVED | {"effects": ["x was called"]}, {"results": ["1"]}),
        (SAVED | {"saved": []}, {"results": []}),
        (SAVED, {"results": ["1", "2"]}),
        (SAVED, {"raised": "KeyError"}),
    ],
)
def test_what_is_wrong_is_said(save: verdicts.Answer, resume: verdicts.Answer) -> None:
    assert not _verdict(save, resume).is_good


def test_a_refusal_must_come_and_name_what_is_in_the_way() -> None:
    assert not _verdict(SAVED, {"results": ["1"]}, ("lock",)).is_good
    assert not _verdict({"not_saved": "something"}, {}, ("lock",)).is_good
    assert _verdict({"not_saved": "the lock"}, {}, ("lock",)).is_good
