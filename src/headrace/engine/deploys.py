"""What new code means for runs that the old one could not replay.

Owns: trying blocked runs again. Must never know: what changed in the code.
"""

from __future__ import annotations

from headrace.engine.core import Core
from headrace.engine.listed import post_listed
from headrace.engine.seats import Seat
from headrace.engine.sheet import Sheet
from headrace.errors import HeadraceError
from headrace.kernel.commands import Unblock
from headrace.kernel.model import Blocked, Instant, Run, RunId
from headrace.ports import Filter

PAGE = 100


async def try_again(core: Core, seat: Seat, version: str) -> None:
    """Let a worker with the newest code replay what is blocked; once, though it may block again.

    Not when the code is registered: a worker with the old one, which is still there while it is
    replaced, would take the runs up and block them once more. Nor what was blocked since the worker
    has come, most likely by itself, while this was slow.
    """
    came = seat.heard
    try:
        listed = await core.stores.catalog.listing(seat.env)
        is_newest = listed is not None and listed.version == version
        if is_newest and core.tried.get(seat.env) != version:
            await _unblock(core, seat, came)
            core.tried[seat.env] = version
    except HeadraceError:
        core.seats.remove(seat)  # the store is in trouble: let the worker come again


async def _unblock(core: Core, seat: Seat, came: Instant) -> None:
    tasks = tuple(seat.tasks)
    after: RunId | None = None
    while tasks:
        found = await core.stores.runs.find(
            Filter(env=seat.env, size=PAGE, after=after, states=(Blocked.__name__,), tasks=tasks)
        )
        for run in found:
            await post_listed(core, run.id, _Unblock(seat, came), is_blocked)
        if len(found) < PAGE:
            return
        after = found[-1].id


def is_blocked(run: Run) -> bool:
    """Tell whether the run's code did not fit its journal."""
    return isinstance(run.state, Blocked)


class _Unblock:
    """The job of giving a blocked run to a worker, or to whoever has room where it has none."""

    def __init__(self, seat: Seat, came: Instant) -> None:
        self._seat, self._came = seat, came

    async def __call__(self, sheet: Sheet) -> object:
        if not is_blocked(sheet.run) or sheet.run.updated > self._came:
            return None
        change = sheet.apply(Unblock())
        if self._seat.free:
            self._seat.running.add(sheet.run.id)  # others decide while this is being committed
            change = sheet.apply(self._seat.claim)
        return change
