"""What a worker's last word about a run does, when its task has returned.

Must never know: where a large output lies.
"""

from __future__ import annotations

from dataclasses import dataclass

from headrace.engine.core import Core
from headrace.engine.parcels import put_away
from headrace.engine.sheet import Sheet
from headrace.kernel import commands as c, machine
from headrace.wire import channel, packets


@dataclass(frozen=True, slots=True)
class Finished:
    """The task returned."""

    core: Core
    op: channel.Completed

    async def __call__(self, sheet: Sheet) -> object:
        """End the run; a large output is put away first, where the commit finds it."""
        op, stored = self.op, ""
        if len(op.output) > packets.INLINE and machine.holds(sheet.run, op.epoch):
            stored = await put_away(self.core, sheet.run, op.output)
        output = b"" if stored else op.output
        change = sheet.apply(c.Complete(op.epoch, output, stored))
        sheet.own_end = True
        return change
