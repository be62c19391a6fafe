"""Pauses of processes whose store fails: short, since nobody waits for it to get well."""

from __future__ import annotations

import pytest

import headrace.engine
import headrace.engine.aside
import headrace.worker.worker


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on at once after a fault."""
    monkeypatch.setattr(headrace.engine, "PAUSE_S", 0.001)
    monkeypatch.setattr(headrace.engine.aside, "REST_S", 0.001)
    monkeypatch.setattr(headrace.worker.worker, "FIRST_PAUSE_S", 0.001)
