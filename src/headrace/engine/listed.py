"""What is done about runs that the store has listed: as due, held, blocked, owed.

Rule: a job that finds nothing to do checks nothing, so it may have decided on an old reading of the
run. The store has given a reason; memory that does not show it is not trusted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from headrace.engine.core import Core
from headrace.engine.jobs import Job
from headrace.kernel.model import Run, RunId


def post_listed(
    core: Core, run_id: RunId, job: Job, why: Callable[[Run], bool]
) -> asyncio.Future[object]:
    """Put a job on the run's desk; `why` tells of a run whether it would be listed."""
    desk = core.desk(run_id)
    if desk.run is not None and not why(desk.run):
        desk.doubt()
    return core.post(run_id, job)
