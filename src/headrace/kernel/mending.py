"""How a blocked run goes on: tried again, begun again, or replayed with what somebody accepts.

Owns: what each of these does to the run; none burns an attempt.
Must never know: why the code did not fit, or who decides that it may go on.
"""

from __future__ import annotations

from typing import assert_never

from headrace.kernel import commands as c
from headrace.kernel.commands import Change, Refused
from headrace.kernel.effects import queued, remembered
from headrace.kernel.evolve import evolve
from headrace.kernel.model import Blocked, Instant, Run


def mended(run: Run, command: c.MendCommand, now: Instant) -> Change:
    """Let a blocked run be taken up again."""
    if not isinstance(run.state, Blocked):
        raise Refused(run, command)
    match command:
        case c.Unblock():
            return Change(run, queued(run, now))
        case c.Accept(entries=entries):
            change = remembered(run, entries, now)
            return evolve(change, after=queued(change.after, now))
        case c.Restart():
            return Change(run, _forgotten(queued(run, now)), undone=0)
        case _:
            assert_never(command)


def _forgotten(run: Run) -> Run:
    """Return the run with nothing remembered: no code has begun, every message is unread."""
    return evolve(
        run,
        entries=0,
        base=0,
        saved=None,
        lost=0,
        waits=(),
        deadlines={},
        cursors={},
        code="",
    )
