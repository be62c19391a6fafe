"""What lies on a run's desk: jobs, and who waits for each.

Must never know: runs, commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from headrace.engine.jobs import Hasty, Job
from headrace.engine.sheet import Sheet
from headrace.errors import Mistake, Unavailable


@dataclass(slots=True)
class Slip:
    """A job and who waits for it."""

    job: Job
    answer: asyncio.Future[object]
    value: object = None
    error: Exception | None = None

    async def decide(self, sheet: Sheet) -> None:
        """Run the job; it counts only once the sheet has landed."""
        self.error = None
        try:
            self.value = await self.job(sheet)
        except Exception as error:  # noqa: BLE001 - it belongs to who asked, not to the others
            self.error = error

    def settle(self, error: Exception | None = None) -> None:
        """Tell the outcome to whoever still waits for it."""
        if self.answer.done():
            return
        if error is not None or self.error is not None:
            self.answer.set_exception(error or self.error or Unavailable("no outcome"))
        else:
            self.answer.set_result(self.value)


def missed(batch: Iterable[Slip], failure: Exception | None = None) -> bool:
    """Tell whether somebody may wait for what could not be done: who sends is told, and knows."""
    return any(
        (error := failure or slip.error) is not None
        and not isinstance(error, Mistake)
        and not isinstance(slip.job, Hasty)
        for slip in batch
    )


def heard(answer: asyncio.Future[object]) -> None:
    """Look at the outcome, so that nobody has to wait for it."""
    if not answer.cancelled():
        answer.exception()
