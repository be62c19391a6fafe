"""One place in a task's code that appends to an output stream.

Owns: the numbers of its records. Must never know: what they are.
"""

from __future__ import annotations

import asyncio

from headrace.errors import TooLarge
from headrace.kernel.model import Key, StreamId
from headrace.sdk.execution_life import Life
from headrace.wire import channel
from headrace.wire.jsontext import MAX_DATA


class Outlet:
    """Its records are numbered here, so that another place's do not move when it appends more."""

    __slots__ = ("_count", "_key", "_life", "_stream")

    def __init__(self, life: Life, stream: StreamId, key: Key) -> None:
        self._life, self._stream, self._key = life, stream, key
        self._count = 0

    def put(self, body: bytes) -> asyncio.Future[None]:
        """Append a record; the future is done once it is durable. Many may be under way."""
        life = self._life
        life.gate.check()
        fits_in(body, "a record")
        key = f"{self._key}/{self._count}"
        self._count += 1
        emitted = channel.Emitted(life.run_id, life.epoch, self._stream[1:], key, body)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if life.replay.is_past:
            # Most likely there; it goes out again behind the replay, under the same key.
            durable.set_result(None)
            life.replay.when_told(lambda: life.ledger.post(emitted))
        else:
            life.emissions[key] = durable
            life.ledger.post(emitted)
        return durable


def fits_in(body: bytes, what: str) -> None:
    """Refuse what is larger than a message may be."""
    if len(body) > MAX_DATA:
        raise TooLarge(
            f"{what} holds at most {MAX_DATA} bytes, this has {len(body)}",
            hint="Store it elsewhere and pass where it is.",
        )
