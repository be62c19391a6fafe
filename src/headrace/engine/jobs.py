"""What is done at a run's desk, whoever asks for it.

Must never know: when it is done, and with what else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from headrace.engine.sheet import Sheet
from headrace.kernel.effects import moments_of
from headrace.kernel.model import Instant, StreamId, Wait

Job = Callable[[Sheet], Awaitable[object]]
"""Decides on the sheet and returns its answer; what it raises, it raises before it decides."""


async def nothing(_sheet: Sheet) -> object:
    """Decide nothing: the landing alone tells the worker that holds the run."""
    return None


async def reread(sheet: Sheet) -> object:
    """Decide nothing: the landing tells everybody what another process has made of the run."""
    sheet.reread = True
    return None


async def caught_up(sheet: Sheet, *, by: Instant | None = None) -> None:
    """Let all waits take what stands in the log, or those of which something is due `by` then."""
    waits = [wait for wait in sheet.run.waits if by is None or _is_due(wait, by)]
    for stream in {wait.stream for wait in waits if wait.stream is not None}:
        await sheet.catch_up(stream)


def _is_due(wait: Wait, by: Instant) -> bool:
    return any(moment <= by for moment in moments_of(wait))


async def look(sheet: Sheet) -> object:
    """Take what stands in the log behind any wait; the landing tells the worker what is new."""
    await sheet.survey()
    await caught_up(sheet)
    sheet.looked = True
    return None


@dataclass(frozen=True, slots=True)
class LookBehind:
    """The job of looking at these streams, which have new records, the run being as it was."""

    streams: frozenset[StreamId]

    async def __call__(self, sheet: Sheet) -> object:
        """Take what stands in them; the landing tells the worker what is new."""
        for stream in sorted(self.streams):
            await sheet.tail(stream, anew=True)
            await sheet.catch_up(stream)
        return None


class Hasty:
    """A job that may be decided on what is remembered of the run, as long as that lives."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class CatchUp:
    """The job of taking what stands in the log, or what a waitpoint has."""

    stream: StreamId

    async def __call__(self, sheet: Sheet) -> object:
        """Let the waits on it take."""
        return await sheet.catch_up(self.stream)
