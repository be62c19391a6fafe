"""Finds which variable cannot be saved, and where in it: only after a failure."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.frames.values_errors import CannotSave
from headrace.frames.values_own import Own


def culprit(values: Mapping[str, object], own: Own, error: Exception) -> CannotSave:
    """Return the error that names the first variable that cannot be saved."""
    raise NotImplementedError
