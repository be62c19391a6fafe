"""Says once that something does not work, however often it is tried.

Owns: whether it has been said. Must never know: what is tried.
"""

from __future__ import annotations

import structlog

from headrace.backends.postgres.faults import is_gone
from headrace.errors import HeadraceError

_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.backends.postgres")


class Complaint:
    """Made for one thing, by whoever tries it again and again."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_told = False

    def about(self, error: Exception) -> None:
        """Log the error, unless one was logged since it worked last."""
        if self._is_told or is_gone(error):
            return  # a database that is away is told of by everybody who asks it for anything
        said = error.message if isinstance(error, HeadraceError) else str(error) or repr(error)
        _log.warning(self._what, error=said)
        self._is_told = True

    def over(self) -> None:
        """Note that it works."""
        self._is_told = False
