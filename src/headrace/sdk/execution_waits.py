"""The waits of a run: for a record of a stream, for a token, or for time to pass.

Owns: the keys of a wait, and of those that follow a rejected value; taking a wait up again where a
snapshot was made in it. Must never know: types of values, sockets.

Keys: the first wait on stream `approval` is `approval#0`; a value that was passed over makes the
next one `approval#0~1`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

from headrace.errors import BadValue
from headrace.kernel.journal import Asked
from headrace.kernel.model import Entry, Instant, Key, StreamId, waitpoint_of
from headrace.sdk.execution_asking import own_answer
from headrace.sdk.execution_faults import bad_value, fault_of, own_error
from headrace.sdk.execution_life import Life
from headrace.sdk.execution_question import Place
from headrace.sdk.execution_rest import Stance
from headrace.wire import channel

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Taken(Generic[T]):
    """A record that the run has taken. `value` is what `fits` made of `body`."""

    body: bytes
    seq: int
    deadline: Instant | None
    value: T


async def take(
    life: Life,
    stream: StreamId,
    place: Place,
    *,
    fits: Callable[[bytes], T],
    line: str,
    on_invalid: Literal["wait", "raise"],
) -> Taken[T] | None:
    """Take the next record that fits, or return None when the time is over."""
    for count in itertools.count(place.count + 1):
        entry = await stand(life, place, stream, line)
        if entry.ending == "timeout":
            return None
        if entry.ending == "failure":
            raise own_error(entry.body)
        taken = _fitting(life, entry, stream, fits)
        if isinstance(taken, Taken):
            return taken
        if on_invalid == "raise":
            raise taken
        place = replace(place, count=count, timeout_ms=None, until=entry.deadline)
    return None


def _fitting(
    life: Life, entry: Entry, stream: StreamId, fits: Callable[[bytes], T]
) -> Taken[T] | BadValue:
    """Return the value of a record, or why it was, or is now, rejected."""
    asked = Asked(Key(f"{entry.key}!"), "rejected", line=entry.line)
    known = life.asking.known(asked)
    if known is not None:
        return bad_value(known.body)
    try:
        value = fits(entry.body)
    except BadValue as error:
        why = fault_of(error)
        life.remember(own_answer(asked, "value", why, stream=stream, seq=entry.seq))
        return error
    return Taken(entry.body, entry.seq, entry.deadline, value)


async def stand(life: Life, place: Place, stream: StreamId | None, line: str) -> Entry:
    """Ask, and return the answer."""
    asked = Asked(place.key, "take" if stream else "timer", line=line)
    await life.gate.admit()
    if not life.course.may_wait(asked):
        raise asyncio.CancelledError("the run has been told to stop")
    stance = Stance.PARKS if place.parks else Stance.ASKS
    question = life.asking.ask(asked, stance, lambda: _post(life, place, stream, line))
    question.place = place
    return await life.replay.answer(question)


def _post(life: Life, place: Place, stream: StreamId | None, line: str) -> None:
    token = waitpoint_of(stream)
    stands = channel.Standing(
        run=life.run_id,
        epoch=life.epoch,
        key=place.key,
        stream=stream[1:] if stream and token is None else "",
        timeout_ms=-1 if place.timeout_ms is None else place.timeout_ms,
        until=place.until or 0,
        held=place.is_limited,
        line=line,
        seen=life.replay.journal.next_n,
        token=token or "",
    )
    life.ledger.post(stands)
    life.parking.look()
    life.way_out.stands()
