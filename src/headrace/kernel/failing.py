"""What becomes of a run whose task raised: another try, after a while, or the end.

Must never know: why it raised.
"""

from __future__ import annotations

from headrace.kernel import commands as c
from headrace.kernel.commands import Change
from headrace.kernel.effects import ended, queued
from headrace.kernel.evolve import evolve
from headrace.kernel.model import Failed, Instant, Retrying, Run
from headrace.kernel.retry import next_try


def failed(run: Run, command: c.Fail, now: Instant) -> Change:
    """Try the run again later, or end it."""
    failures = run.failures + 1
    if not command.again or failures >= run.limits.max_attempts:
        after = ended(run, Failed(command.cause), now)
        return Change(run, evolve(after, failures=failures))
    undone = command.undone if command.seen == run.entries else None
    undone = None if undone is None else max(run.saved or 0, min(undone, run.entries))
    running_out = {w.key: w.deadline for w in run.waits if w.deadline is not None}
    after = evolve(
        queued(run, now),
        state=Retrying(next_try(command.retry, failures, now, command.jitter)),
        failures=failures,
        lost=0,
        waits=(),
        deadlines={**run.deadlines, **running_out, **command.revived},
        entries=run.entries if undone is None else undone,
    )
    return Change(run, after, undone=undone)
