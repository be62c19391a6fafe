"""A live `on`: every message of a stream, in order, one at a time, to one handler.

Handing a message over and the handler's return are two entries; a crash between the two repeats
the handler from its last record. Owns: the pump. Must never know: what a message is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import structlog

from headrace.kernel.journal import Asked
from headrace.kernel.model import Key, StreamId
from headrace.sdk.execution_asking import own_answer
from headrace.sdk.execution_course import GRACE_S
from headrace.sdk.execution_faults import trace_of
from headrace.sdk.execution_life import Life
from headrace.sdk.execution_question import Question
from headrace.sdk.execution_rest import Stance
from headrace.sdk.scope import Scope, spawn
from headrace.wire.channel import Standing

Handler = Callable[[bytes], Awaitable[None]]
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.run")


class Listener:
    """What `on` returns: `off()` ends it."""

    def __init__(
        self,
        life: Life,
        stream: StreamId,
        handler: Handler,
        *,
        key: Key,
        line: str,
        on_error: Literal["fail", "ignore"],
    ) -> None:
        self.line = line
        self._life, self._stream, self._handler, self._key = life, stream, handler, key
        self._ignores = on_error == "ignore"
        self._is_off = self._is_handling = False
        self._question: Question | None = None
        self._branch = spawn(self._pump(), Scope(life.crew, f"{key}/"))

    @property
    def is_over(self) -> bool:
        """Tell whether nothing will be heard, and nothing is being handled."""
        return self._is_off and self._branch.done()

    def off(self) -> None:
        """Hear no more. A message that has been taken already is still handled."""
        if not self._is_off:
            self._is_off = True
            if self._life.ears.get(self._stream) is self:
                del self._life.ears[self._stream]
            if not self._branch.done():
                self._life.leaving.add(self)
            if self._question is not None:
                self._life.replay.unwant(self._question)

    async def ended(self) -> None:
        """Return once nothing is being handled; a handler that takes too long is cancelled."""
        await asyncio.wait((self._branch,), timeout=GRACE_S)
        if not self._branch.done() and self._is_handling:
            _log.warning("a handler ran on after its task; it is cancelled", line=self.line)
            self._branch.cancel()
        await asyncio.wait((self._branch,))

    async def _pump(self) -> None:
        try:
            await self._hear()
        except Exception as error:  # noqa: BLE001 - whatever it was, it is the attempt's failure
            self._life.course.fail(error)
        finally:
            self._life.leaving.discard(self)

    async def _hear(self) -> None:
        count = 0
        while not self._is_off:
            body = await self._next(Asked(Key(f"{self._key}/{count}"), "take", line=self.line))
            if body is None:
                return
            await self._handle(body)
            await self._handled(Asked(Key(f"{self._key}/{count}."), "handled", line=self.line))
            count += 1

    async def _next(self, asked: Asked) -> bytes | None:
        """Take the next message; None if there will be none."""
        life = self._life
        await life.gate.admit()
        if not life.course.may_wait(asked):
            return None
        question = life.asking.ask(asked, Stance.LISTENS, lambda: self._stand(asked.key))
        self._question = question
        try:
            return (await life.replay.answer(question)).body
        except asyncio.CancelledError:
            if question.cancel is None:
                return None  # switched off, and no message had been taken
            raise
        finally:
            self._question = None

    def _stand(self, key: str) -> None:
        life, stream = self._life, self._stream[1:]
        seen = life.replay.journal.next_n
        stands = Standing(life.run_id, life.epoch, key, stream, line=self.line, seen=seen)
        life.ledger.post(stands)

    async def _handle(self, body: bytes) -> None:
        self._is_handling = True
        try:
            await self._handler(body)
        except Exception as error:
            if not self._ignores:
                raise
            # In a thread: it reads source files.
            trace = await asyncio.to_thread(trace_of, error)
            _log.warning("a handler raised", line=self.line, run=self._life.run_id, trace=trace)
        finally:
            self._is_handling = False

    async def _handled(self, asked: Asked) -> None:
        """Record that the handler has returned."""
        life = self._life
        question = life.asking.ask(
            asked, Stance.ASKS, lambda: life.remember(own_answer(asked, "value", b"null"))
        )
        await life.replay.answer(question)
