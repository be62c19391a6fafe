"""Where the parts' own warnings go: stderr, one line each."""

from __future__ import annotations

import logging
import sys

import structlog


def log_to_stderr() -> None:
    """Let warnings appear, and nothing below them."""
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
