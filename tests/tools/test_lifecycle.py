"""The drawn life of a run is today's, and its samples leave out nothing."""

from typing import get_args

from headrace.kernel.commands import Command
from headrace.kernel.model import Outcome, State
from tools.lifecycle import COMMANDS, PAGE, RUNS, draw, moves


def test_the_picture_is_current() -> None:
    assert PAGE.read_text("utf-8") == draw(), "run `make lifecycle` and review the difference"


def test_every_state_and_every_command_is_sampled() -> None:
    assert {type(run.state) for run in RUNS} == set(get_args(State))
    assert {type(command) for command in COMMANDS} == set(get_args(Command))


def test_every_state_can_be_left_and_every_outcome_is_reached() -> None:
    outcomes = {outcome.__name__ for outcome in get_args(Outcome)}
    starts, ends = ({move[n] for move in moves()} for n in (0, 1))
    assert ends - starts == outcomes
    assert len(starts) == len(get_args(State)) + 1  # no Over; Waiting twice; Stopping
