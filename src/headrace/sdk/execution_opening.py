"""How a life begins: at the top of the task, or where a snapshot was made.

Owns: what becomes of a run whose snapshot cannot be used here.
Must never know: how a snapshot is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from headrace.sdk.execution_suspension import Opened, opened, place_of
from headrace.sdk.scope import Scope
from headrace.sdk.sealing import NotOpened
from headrace.wire import channel
from headrace.wire.channel import Assigned

if TYPE_CHECKING:
    from headrace.sdk.execution_life import Life, Manner

_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.run")


class Opening:
    """One life's way in."""

    def __init__(self, life: Life, assigned: Assigned, manner: Manner) -> None:
        self._life, self._assigned, self._manner = life, assigned, manner
        self.opened: Opened | None = None
        """The snapshot that the code is taken up from."""
        self.is_unfit = False
        """Whether the snapshot could not be used: the run will be assigned again without."""

    def is_open(self, scope: Scope) -> bool:
        """Open the snapshot, if there is one; tell whether the code may begin."""
        assigned = self._assigned
        if not assigned.snapshot:
            if assigned.base:
                self.unfit("its snapshot is missing")
            return not assigned.base
        try:
            self.opened = self._opened(assigned)
        except NotOpened as error:
            self.unfit(str(error))
            return False
        self.opened.counted(scope)
        return True

    def _opened(self, assigned: Assigned) -> Opened:
        if self._life.suspension is None:
            raise NotOpened(f"task {assigned.task!r} cannot be taken up where it was saved")
        place = place_of(assigned.run, assigned.saved)
        return opened(self._manner.sealer, place, assigned.snapshot)

    def goes_on_as_saved(self, function: str, module: str) -> None:
        """Say once of each function that it is not today's with which a run goes on."""
        named = f"{function}() in {module}"
        if f"as saved {named}" not in self._manner.warned:
            self._manner.warned.add(f"as saved {named}")
            _log.warning(
                "a run goes on with the source that it was saved with",
                run=self._life.run_id,
                function=named,
            )

    def unfit(self, why: str) -> None:
        """Ask for the whole journal, since the snapshot cannot be used; block without one."""
        life, assigned = self._life, self._assigned
        if life.is_gone:
            return
        if assigned.base:
            life.block(
                f"{why}; and {assigned.base} entries of its journal have been dropped for that "
                "snapshot\n--- recorded\n+++ this code\n"
                f"-version {assigned.code or '?'}\n+version {self._manner.version or '?'}"
            )
            return
        _log.warning("a snapshot cannot be used; its run is replayed", run=life.run_id, why=why)
        self.is_unfit = True
        life.end(channel.Unfit(life.run_id, life.epoch))
        life.course.dismiss()
