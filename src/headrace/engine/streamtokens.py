"""Tokens of streams: each shows one record of an input stream, or that it did not come in time.

Owns: how such a token stands, which is read from the log whenever somebody asks.
Must never know: who asks, or who sends: a send does nothing for them.

Rule 1: a record that was appended before the deadline completes it. So at the deadline it is asked
for on the desk of the run, behind all sends that were decided here before.
Rule 2: as it has been seen from the deadline on, completed or timed out, it is seen for ever, at
every server: who sees it first writes it down, before he tells. For a record may be decided before
the deadline at one server, and written after another has looked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from headrace.engine.core import Core
from headrace.engine.presence import SKEW_MS
from headrace.engine.sheet import Sheet
from headrace.engine.views import find_run
from headrace.errors import BadRequest, Mistake, NotFound
from headrace.kernel.model import EPOCH, EnvId, Instant, Record, inward, later
from headrace.ports import RecordAt, Waitpoint, WaitpointFilter
from headrace.wire.tokenviews import StreamTokenOrder

MOST_SEQ: Final = 2**53


async def awaited(core: Core, env: EnvId, run_id: str, order: StreamTokenOrder) -> RecordAt:
    """Return the record that is awaited, or say why there will be none."""
    run = await find_run(core, env, run_id)
    spec = await core.specs.stream(env, order.stream_id)
    if spec is None or not spec.inward:
        raise NotFound(f"no task of this environment declares an input stream {order.stream_id!r}")
    last = -1 if order.last_seq_num is None else order.last_seq_num
    if not -1 <= last < MOST_SEQ:
        raise BadRequest("lastSeqNum is the number of a record, or -1")
    return RecordAt(run.id, inward(order.stream_id), last + 1)


def reads_stream(token: Waitpoint) -> Mistake:
    """Say that nobody completes the token, and nobody waits for it."""
    name = "" if token.awaits is None else token.awaits.stream[1:]
    return Mistake(
        f"{token.id} stands for a message of the input stream {name!r}, and only for that",
        hint="Send to the stream to complete it; in a task, wait on the stream itself.",
    )


async def stood(core: Core, token: Waitpoint, now: Instant) -> Waitpoint:
    """Return the token as it stood at `now`, or later: with the record if that came in time."""
    awaits = token.awaits
    if awaits is None or token.came == EPOCH:
        return token
    record = await _read(core, awaits)
    if token.came is None:
        if record is None and token.state(now) == "TIMED_OUT":
            record = await _looked(core, awaits)
        token = await _settled(core, token, record, now)
        if token.came and record is None:
            record = await _read(core, awaits)  # another server has seen it
    if not token.came:
        return token
    return replace(token, completed=token.came, output=b"" if record is None else record.body)


async def _settled(core: Core, token: Waitpoint, record: Record | None, now: Instant) -> Waitpoint:
    """Return the token with what is to be told of it, for good where others may see it otherwise.

    Before its deadline, by whatever clock, nobody has seen it timed out, nor will: who looks at
    the deadline finds the record as well.
    """
    came, deadline = EPOCH if record is None else record.at, token.deadline
    if deadline is None:
        return replace(token, came=came or None)
    if came >= deadline:
        came = EPOCH
    if not came and token.state(now) == "WAITING":
        return token
    if core.now() >= later(deadline, -SKEW_MS):
        came = await core.stores.waitpoints.settle(token.id, came)
    return replace(token, came=came)


async def _looked(core: Core, awaits: RecordAt) -> Record | None:
    found = await core.post(awaits.run, _Look(core, awaits))
    return found if isinstance(found, Record) else None


async def _read(core: Core, awaits: RecordAt) -> Record | None:
    found = await core.stores.streams.read(awaits.run, awaits.stream, awaits.seq, 1)
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class _Look:
    """The job of reading what is awaited once all that was asked before has landed."""

    core: Core
    awaits: RecordAt

    async def __call__(self, sheet: Sheet) -> object:
        """Return the record, also if it lands with this very sheet."""
        awaits = self.awaits
        for draft in sheet.drafts:
            if (draft.stream, draft.seq) == (awaits.stream, awaits.seq):
                return Record(draft.seq, draft.body, draft.at)
        return await _read(self.core, awaits)


async def found(core: Core, asked: WaitpointFilter) -> Sequence[Waitpoint]:
    """List tokens as they stand: the store cannot tell how those of streams do."""
    fits: list[Waitpoint] = []
    upwards = asked.before is not None and asked.after is None
    while len(fits) < asked.size:
        page = await core.stores.waitpoints.find(asked)
        stand = [await stood(core, token, asked.now) for token in page]
        kept = [one for one in stand if not asked.states or one.state(asked.now) in asked.states]
        fits = [*kept, *fits] if upwards else [*fits, *kept]
        if len(page) < asked.size:
            break
        asked = replace(asked, before=page[0].id) if upwards else replace(asked, after=page[-1].id)
    return fits[-asked.size :] if upwards else fits[: asked.size]
