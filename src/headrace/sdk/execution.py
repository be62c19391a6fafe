"""What a task's code may ask of the run that it executes, in JSON text: `current()`.

Owns: the form of each question (its key, its operation, its answer) and what is refused at once.
The public names of the sdk carry types on top of it. Must never know: types of values, sockets.

Keys: the first wait on stream `approval` is `approval#0`, in the first task that this task creates
`1/approval#0`; a value that was passed over makes the next one `approval#0~1`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import msgspec

from headrace.errors import BadValue, OutsideRun, StreamHasHandler
from headrace.kernel.journal import Asked
from headrace.kernel.model import Entry, Instant, Key, StreamId
from headrace.sdk.execution_asking import own_answer
from headrace.sdk.execution_course import Runnable
from headrace.sdk.execution_faults import bad_value, fault_of, own_error, step_failure
from headrace.sdk.execution_gate import Abandoned
from headrace.sdk.execution_life import Life
from headrace.sdk.execution_listen import Handler, Listener
from headrace.sdk.execution_outlet import Outlet, fits_in
from headrace.sdk.execution_question import Question
from headrace.sdk.execution_rest import Stance
from headrace.sdk.scope import STEP, Scope, here
from headrace.wire import channel

__all__ = [
    "Abandoned",
    "Execution",
    "Listener",
    "Outlet",
    "Runnable",
    "Taken",
    "current",
    "require",
]

T = TypeVar("T")
_CURRENT: ContextVar[Execution | None] = ContextVar("headrace_run", default=None)


class _Started(msgspec.Struct, rename="camel"):
    id: str


_started = msgspec.json.Decoder(_Started).decode


def current() -> Execution | None:
    """Return the run that this code executes, also inside a step."""
    return _CURRENT.get()


def require(what: str) -> Execution:
    """Return the run that this code executes, or raise `OutsideRun`."""
    execution = current()
    if execution is None:
        raise OutsideRun(f"{what} works inside a task only", hint="Call it from a running task.")
    return execution


def make_current(execution: Execution) -> None:
    """Let the code of the present context execute this run."""
    _CURRENT.set(execution)


@dataclass(frozen=True, slots=True)
class Taken(Generic[T]):
    """A record that the run has taken. `value` is what `fits` made of `body`."""

    body: bytes
    seq: int
    deadline: Instant | None
    value: T


@dataclass(frozen=True, slots=True)
class _Limit:
    """How a branch waits: until when, and whether the run may be put away meanwhile."""

    timeout_ms: int | None
    until: Instant | None
    parks: bool

    @property
    def is_set(self) -> bool:
        """Tell whether it ends by itself."""
        return self.timeout_ms is not None or self.until is not None


class Execution:
    """One claimed run in this worker, as its own code sees it."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self.loop = asyncio.get_running_loop()
        self.run_id, self.task_id, self.payload = life.run_id, life.task_id, life.payload
        self.attempt, self.epoch, self.tags = life.attempt, life.epoch, life.tags

    @property
    def is_replaying(self) -> bool:
        """Tell whether the code repeats what an earlier life of the run has done."""
        return self._life.replay.is_past

    @property
    def metadata(self) -> dict[str, bytes]:
        """Return the run's metadata: JSON text by name."""
        return self._life.metadata

    # --- steps -------------------------------------------------------------------------------

    async def step(
        self, name: str, call: Callable[[], Awaitable[bytes]], *, fingerprint: str, line: str
    ) -> bytes:
        """Return what `call` returns, remembered: in a later life it is not called again.

        What it raises is remembered too. A later life raises a `StepFailed` of the same type.
        """
        scope = await self._admitted(f"step {name}")
        asked = Asked(scope.key(name), "step", fingerprint, line)
        question = self._life.asking.ask(asked, Stance.ASKS)
        if question.entry is None:
            await self._life.replay.launched(question)
            if question.cancel is None:
                return await self._called(question, asked, name, call)
        entry = await self._life.replay.answer(question)
        if entry.ending == "failure":
            raise step_failure(entry.body, name)
        return entry.body

    async def _called(
        self, question: Question, asked: Asked, name: str, call: Callable[[], Awaitable[bytes]]
    ) -> bytes:
        """Run a step that is new, and remember its end before anybody sees it."""
        life, branch = self._life, asyncio.current_task()
        token = STEP.set(name)
        try:
            body = await call()
            fits_in(body, f"the result of step {name}")
        except asyncio.CancelledError as cancel:
            await life.gate.admit()
            if branch is not None and branch.cancelling():
                question.is_unwanted, question.cancel = True, cancel
                life.remember(own_answer(asked, "cancelled"))
                await life.replay.answer(question)
            await self._failed(question, asked, cancel)
            raise
        except Exception as error:
            await self._failed(question, asked, error)
            raise
        finally:
            STEP.reset(token)
        life.remember(own_answer(asked, "value", body))
        await life.replay.answer(question)
        return body

    async def _failed(self, question: Question, asked: Asked, error: BaseException) -> None:
        self._life.remember(own_answer(asked, "failure", fault_of(error)))
        await self._life.replay.answer(question)

    # --- waits -------------------------------------------------------------------------------

    async def take(
        self,
        stream: StreamId,
        name: str,
        *,
        fits: Callable[[bytes], T],
        timeout_ms: int | None,
        until: Instant | None,
        parks: bool,
        line: str,
        on_invalid: Literal["wait", "raise"] = "wait",
    ) -> Taken[T] | None:
        """Take the next record of `stream`, or return None when the time is over.

        `fits` turns a body into a value. One for which it raises `BadValue` is remembered as
        rejected; then that is raised, or the wait goes on with its old deadline.
        """
        scope = await self._admitted(f"a wait on {stream[1:]!r}")
        self._has_no_handler(stream, "a wait", line)
        limit = _Limit(timeout_ms, until, parks)
        key = base = scope.key(name)
        for count in itertools.count(1):
            entry = await self._wait(Asked(key, "take", line=line), stream, limit)
            if entry.ending == "timeout":
                return None
            taken = self._fitting(entry, stream, fits)
            if isinstance(taken, Taken):
                return taken
            if on_invalid == "raise":
                raise taken
            key = Key(f"{base}~{count}")
            limit = _Limit(None, entry.deadline, parks)
        return None

    def _fitting(
        self, entry: Entry, stream: StreamId, fits: Callable[[bytes], T]
    ) -> Taken[T] | BadValue:
        """Return the value of a record, or why it was, or is now, rejected."""
        asked = Asked(Key(f"{entry.key}!"), "rejected", line=entry.line)
        known = self._life.asking.known(asked)
        if known is not None:
            return bad_value(known.body)
        try:
            value = fits(entry.body)
        except BadValue as error:
            why = fault_of(error)
            self._life.remember(own_answer(asked, "value", why, stream=stream, seq=entry.seq))
            return error
        return Taken(entry.body, entry.seq, entry.deadline, value)

    async def sleep(self, *, timeout_ms: int | None, until: Instant | None, line: str) -> None:
        """Wait for some time, or until a moment."""
        scope = await self._admitted("a wait")
        asked = Asked(scope.key("sleep"), "timer", line=line)
        await self._wait(asked, None, _Limit(timeout_ms, until, parks=True))

    async def _wait(self, asked: Asked, stream: StreamId | None, limit: _Limit) -> Entry:
        life = self._life
        await life.gate.admit()
        if not life.course.may_wait(asked):
            raise asyncio.CancelledError("the run has been told to stop")
        stands = channel.Standing(
            run=life.run_id,
            epoch=life.epoch,
            key=asked.key,
            stream=stream[1:] if stream else "",
            timeout_ms=-1 if limit.timeout_ms is None else limit.timeout_ms,
            until=limit.until or 0,
            held=limit.is_set,
            line=asked.line,
        )
        stance = Stance.PARKS if limit.parks else Stance.ASKS
        question = life.asking.ask(asked, stance, lambda: self._stand(stands))
        return await life.replay.answer(question)

    def _stand(self, stands: channel.Standing) -> None:
        self._life.ledger.post(stands)
        self._life.parking.look()

    def _has_no_handler(self, stream: StreamId, verb: str, line: str) -> None:
        ear = self._life.ears.get(stream)
        if ear is not None:
            raise StreamHasHandler(
                f"{verb} at {line or '?'} on stream {stream[1:]!r}, which the handler of `on` at "
                f"{ear.line or '?'} listens to",
                hint="Switch it off first (`.off()`), or let the handler pass the value on.",
            )

    def peek(self, stream: StreamId, *, line: str) -> bytes | None:
        """Return the newest record that nobody has taken, without waiting; None if there is none.

        A later life gets the same answer.
        """
        life = self._life
        scope = self._scope(f"peek on {stream[1:]!r}")
        life.gate.check()
        asked = Asked(scope.key(f"peek:{stream[1:]}"), "peek", line=line)
        known = life.asking.known(asked)
        if known is not None:
            return known.body if known.ending == "value" else None
        newest = life.newest.get(stream)
        if newest is None:
            life.remember(own_answer(asked, "timeout"))
            return None
        seq, body = newest
        life.remember(own_answer(asked, "value", body, stream=stream, seq=seq))
        return body

    def listen(
        self,
        stream: StreamId,
        handler: Handler,
        *,
        line: str,
        on_error: Literal["fail", "ignore"] = "fail",
    ) -> Listener:
        """Hand every record from the cursor on to `handler`, one at a time."""
        life = self._life
        scope = self._scope(f"on on {stream[1:]!r}")
        life.gate.check()
        self._has_no_handler(stream, "on", line)
        key = scope.key(f"on:{stream[1:]}")
        listener = Listener(life, stream, handler, key=key, line=line, on_error=on_error)
        life.ears[stream] = listener
        return listener

    # --- reaching out ------------------------------------------------------------------------

    def outlet(self, stream: StreamId) -> Outlet:
        """Open an output stream; the records put there count as those of this place in the code."""
        scope = self._scope(f"append to {stream[1:]!r}")
        return Outlet(self._life, stream, scope.key(f"append:{stream[1:]}"))

    async def emit(self, stream: StreamId, body: bytes, *, line: str) -> None:
        """Append one record to an output stream; it is durable when this returns."""
        await self._admitted(f"append to {stream[1:]!r} at {line}")
        await self.outlet(stream).put(body)

    async def start(self, task: str, order: bytes, *, line: str) -> str:
        """Start a run of `task` (`order`: JSON text of a `TriggerOrder`); return its id."""
        scope = await self._admitted(f"trigger of {task}")
        life = self._life
        asked = Asked(scope.key(f"trigger:{task}"), "trigger", line=line)
        if not life.course.may_wait(asked):
            raise asyncio.CancelledError("the run has been told to stop")
        started = channel.Started(life.run_id, life.epoch, asked.key, task, order, line=line)
        return _started(await self._reached(asked, started)).id

    async def send(self, target: str, stream: str, body: bytes, *, key: str, line: str) -> bytes:
        """Send to an input stream of another run; return the receipt's JSON text."""
        scope = await self._admitted(f"send to {stream!r}")
        fits_in(body, "a message")
        life = self._life
        asked = Asked(scope.key(f"send:{stream}"), "send", line=line)
        sent = channel.Sent(
            run=life.run_id,
            epoch=life.epoch,
            key=asked.key,
            target=target,
            stream=stream,
            body=body,
            line=line,
            idempotency_key=key,
        )
        return await self._reached(asked, sent)

    async def _reached(self, asked: Asked, operation: channel.Operation) -> bytes:
        life = self._life
        question = life.asking.ask(asked, Stance.ASKS, lambda: life.ledger.post(operation))
        entry = await life.replay.answer(question)
        if entry.ending == "failure":
            raise own_error(entry.body)
        return entry.body

    def note(self, name: str, value: bytes) -> None:
        """Set metadata; in a later life, what has been set is not set again."""
        self._life.gate.check()
        self._life.metadata[name] = value
        if not self._life.replay.is_past:
            self._life.parking.note(name, value)

    # --- who asks ----------------------------------------------------------------------------

    async def _admitted(self, what: str) -> Scope:
        scope = self._scope(what)
        await self._life.gate.admit()
        return scope

    def _scope(self, what: str) -> Scope:
        """Return the scope of the branch that asks; say why it may not."""
        step = STEP.get()
        if step is not None:
            raise OutsideRun(
                f"{what} was called inside the step {step!r}, whose result alone is remembered",
                hint="Call it from the task, before or after the step.",
            )
        scope = here()
        if scope is None or scope.crew is not self._life.crew:
            raise OutsideRun(
                f"{what} was called from code that the run's own tasks did not start",
                hint="Call it in the task, or in a task made by asyncio.create_task, gather or "
                "a task group there; not in a callback of the event loop.",
            )
        return scope
