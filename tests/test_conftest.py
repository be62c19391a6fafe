"""The suite's own gates can fail."""

import time
from collections.abc import Callable
from types import FunctionType

import pytest
from blockbuster import BlockingError
from hypothesis import settings

import headrace


def _as_ours(function: FunctionType) -> Callable[[], None]:
    """The same function, as if it were written in a file of the package."""
    code = function.__code__.replace(co_filename=f"{headrace.__path__[0]}/planted.py")
    return FunctionType(code, function.__globals__)


def _nap() -> None:
    time.sleep(0)


async def test_our_code_may_not_block_the_event_loop() -> None:
    assert isinstance(_nap, FunctionType)
    with pytest.raises(BlockingError, match=r"time\.sleep"):
        _as_ours(_nap)()


def test_our_code_may_block_outside_an_event_loop() -> None:
    assert isinstance(_nap, FunctionType)
    _as_ours(_nap)()


def test_examples_drawn_by_hypothesis_have_no_deadline() -> None:
    assert settings.default is not None
    assert settings.default.deadline is None


def test_warnings_are_errors(request: pytest.FixtureRequest) -> None:
    assert request.config.getini("filterwarnings") == ["error"]
