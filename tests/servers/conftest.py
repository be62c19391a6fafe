"""Stores that several engines share."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.testing.clock import ManualClock
from tests.servers.town import Site


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """A store of each kind. Its clock stands still: without a hint nothing is looked at again."""
    match request.param:
        case "memory":
            return Site(ManualClock())
        case "sqlite":
            return Site(ManualClock(), str(tmp_path / "headrace.db"))
        case _:
            return Site(ManualClock(), request.getfixturevalue("database"))
