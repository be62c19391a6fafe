"""Pytest's side of the harness: name it in your `conftest.py`.

    pytest_plugins = ["headrace.testing.plugin"]

`pytest --headrace-replay=always` then puts every run away at each of its waits, and
`pytest --headrace-snapshot=always` saves it there and takes it up again.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Protocol, cast

import pytest

from headrace.app.local import Runnable
from headrace.testing.harness import Harness, Replay, Snapshot, local

_OPTION = "--headrace-replay"
_SNAPSHOT = "--headrace-snapshot"


class Opener(Protocol):
    """What the fixture `headrace` is: `async with headrace(publish_post) as h:`."""

    def __call__(self, *tasks: Runnable) -> AbstractAsyncContextManager[Harness]:
        """Run the tasks in this process, or all that are imported."""
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line say when runs are put away."""
    parser.getgroup("headrace").addoption(
        _OPTION,
        choices=("crashes", "always"),
        default="crashes",
        help="when a run is put away and replayed: only where a test crashes it, or at every wait",
    )

    parser.getgroup("headrace").addoption(
        _SNAPSHOT,
        choices=("warm", "always"),
        default="warm",
        help="when a run is saved and put away: when it has waited for a while, or at every wait",
    )


@pytest.fixture
def headrace(request: pytest.FixtureRequest) -> Opener:
    """Give `headrace.testing.local`, told by the command line when to replay."""
    replay = cast("Replay", request.config.getoption(_OPTION))
    snapshot = cast("Snapshot", request.config.getoption(_SNAPSHOT))
    return partial(local, replay=replay, snapshot=snapshot)
