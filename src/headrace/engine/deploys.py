"""What a new version of the code means for runs that the old one could not replay.

Owns: trying blocked runs again. Must never know: what changed in the code.
"""

from __future__ import annotations

from headrace.engine.core import Core
from headrace.engine.sheet import Sheet
from headrace.kernel.commands import Unblock
from headrace.kernel.model import Blocked, EnvId, RunId, TaskId
from headrace.ports import Filter
from headrace.wire.channel import Registration

PAGE = 100


async def unblock(core: Core, env: EnvId, registration: Registration) -> None:
    """Let every blocked run of the registered tasks replay once more; it may block again."""
    tasks = tuple(TaskId(task.id) for task in registration.tasks)
    after: RunId | None = None
    while tasks:
        found = await core.stores.runs.find(
            Filter(env=env, size=PAGE, after=after, states=(Blocked.__name__,), tasks=tasks)
        )
        for run in found:
            await core.post(run.id, _unblock)
        if len(found) < PAGE:
            return
        after = found[-1].id


async def _unblock(sheet: Sheet) -> object:
    return sheet.apply(Unblock()) if isinstance(sheet.run.state, Blocked) else None
