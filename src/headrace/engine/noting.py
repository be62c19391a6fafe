"""Changes of what is said about a run: made on what stands there, whoever else makes some too.

Must never know: who asked, and what the change means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from headrace.engine.core import Core
from headrace.errors import NotFound, Unavailable
from headrace.kernel.model import RunId
from headrace.ports import Conflict, Notes

TRIES: Final = 100
"""How often a change is made again because another was faster."""
Change = Callable[[Notes], Notes]


async def noted(core: Core, run_id: RunId, change: Change) -> Notes:
    """Change the notes of a run, whoever else does so at the same time; tell its listeners."""
    notebook = core.stores.notebook
    for _ in range(TRIES):
        notes = await notebook.read(run_id)
        if notes is None:
            raise NotFound(f"there is no run {run_id}")
        after = change(notes)
        if after == notes:
            return notes
        try:
            await notebook.write(run_id, after)
        except Conflict:
            continue
        await core.announce(run_id)
        return after
    raise Unavailable(f"too many change what is said about run {run_id}", hint="Try again.")
