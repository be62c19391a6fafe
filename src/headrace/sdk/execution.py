"""What a task's code may ask of the run that it executes, in JSON text: `current()`.

Owns: the form of each question (its key, its operation, its answer) and what is refused at once.
The public names of the sdk carry types on top of it. Must never know: types of values, sockets.

Keys: the first step `fetch` is `fetch#0`, in the first task that this task creates `1/fetch#0`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Final, Literal, TypeVar

import msgspec

from headrace.errors import OutsideRun, StreamHasHandler
from headrace.kernel.journal import Asked
from headrace.kernel.model import Instant, StreamId
from headrace.sdk.execution_asking import own_answer
from headrace.sdk.execution_course import Runnable
from headrace.sdk.execution_faults import fault_of, own_error, step_failure
from headrace.sdk.execution_gate import Abandoned
from headrace.sdk.execution_life import Life
from headrace.sdk.execution_listen import Handler, Listener
from headrace.sdk.execution_outlet import Outlet, fits_in
from headrace.sdk.execution_question import Place, Question
from headrace.sdk.execution_rest import Stance
from headrace.sdk.execution_waits import Taken, stand, take
from headrace.sdk.scope import STEP, Scope, here
from headrace.wire import channel
from headrace.wire.changes import EditKind

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
SLEEP: Final = "sleep"
"""The name of every wait for time."""
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


class Execution:
    """One claimed run in this worker, as its own code sees it."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.loop = asyncio.get_running_loop()
        self.run_id, self.task_id, self.payload = life.run_id, life.task_id, life.payload
        self.attempt, self.epoch, self.tags = life.attempt, life.epoch, life.tags

    @property
    def is_replaying(self) -> bool:
        """Tell whether the code repeats what an earlier life of the run has done."""
        return self.life.replay.is_past

    @property
    def metadata(self) -> dict[str, bytes]:
        """Return the run's metadata: JSON text by name."""
        return self.life.notepad.shown

    # --- steps -------------------------------------------------------------------------------

    async def step(
        self, name: str, call: Callable[[], Awaitable[bytes]], *, fingerprint: str, line: str
    ) -> bytes:
        """Return what `call` returns, remembered: in a later life it is not called again.

        What it raises is remembered too. A later life raises a `StepFailed` of the same type.
        """
        scope = await self._admitted(f"step {name}")
        asked = Asked(scope.key(name), "step", fingerprint, line)
        question = self.life.asking.ask(asked, Stance.ASKS)
        if question.entry is None:
            await self.life.replay.launched(question)
            if question.cancel is None:
                return await self._called(question, asked, name, call)
        entry = await self.life.replay.answer(question)
        if entry.ending == "failure":
            raise step_failure(entry.body, name)
        return entry.body

    async def _called(
        self, question: Question, asked: Asked, name: str, call: Callable[[], Awaitable[bytes]]
    ) -> bytes:
        """Run a step that is new, and remember its end before anybody sees it."""
        life, branch = self.life, asyncio.current_task()
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
        self.life.remember(own_answer(asked, "failure", fault_of(error)))
        await self.life.replay.answer(question)

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
        keep_warm_ms: int | None = None,
        shown: str = "",
    ) -> Taken[T] | None:
        """Take the next record of `stream`, or return None when the time is over.

        `fits` turns a body into a value. One for which it raises `BadValue` is remembered as
        rejected; then that is raised, or the wait goes on with its old deadline.
        """
        scope = await self._admitted(f"a wait on {stream[1:]!r}")
        self._has_no_handler(stream, "a wait", line)
        place = Place(
            name,
            scope.number(name),
            scope.path,
            timeout_ms=timeout_ms,
            until=until,
            shown=shown,
            parks=parks,
            keep_warm_ms=keep_warm_ms,
        )
        return await take(self.life, stream, place, fits=fits, line=line, on_invalid=on_invalid)

    async def sleep(
        self,
        *,
        timeout_ms: int | None,
        until: Instant | None,
        line: str,
        keep_warm_ms: int | None = None,
    ) -> None:
        """Wait for some time, or until a moment."""
        scope = await self._admitted("a wait")
        place = Place(
            SLEEP,
            scope.number(SLEEP),
            scope.path,
            timeout_ms=timeout_ms,
            until=until,
            keep_warm_ms=keep_warm_ms,
        )
        await stand(self.life, place, None, line)

    def _has_no_handler(self, stream: StreamId, verb: str, line: str) -> None:
        ear = self.life.ears.get(stream)
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
        life = self.life
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
        life = self.life
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
        return Outlet(self.life, stream, scope.key(f"append:{stream[1:]}"))

    async def emit(self, stream: StreamId, body: bytes, *, line: str) -> None:
        """Append one record to an output stream; it is durable when this returns."""
        await self._admitted(f"append to {stream[1:]!r} at {line}")
        await self.outlet(stream).put(body)

    async def start(self, task: str, order: bytes, *, line: str) -> str:
        """Start a run of `task` (`order`: JSON text of a `TriggerOrder`); return its id."""
        scope = await self._admitted(f"trigger of {task}")
        life = self.life
        asked = Asked(scope.key(f"trigger:{task}"), "trigger", line=line)
        if not life.course.may_wait(asked):
            raise asyncio.CancelledError("the run has been told to stop")
        started = channel.Started(life.run_id, life.epoch, asked.key, task, order, line=line)
        return _started(await self._reached(asked, started)).id

    async def send(self, target: str, stream: str, body: bytes, *, key: str, line: str) -> bytes:
        """Send to an input stream of another run; return the receipt's JSON text."""
        scope = await self._admitted(f"send to {stream!r}")
        fits_in(body, "a message")
        life = self.life
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
        life = self.life
        question = life.asking.ask(asked, Stance.ASKS, lambda: life.ledger.post(operation))
        entry = await life.replay.answer(question)
        if entry.ending == "failure":
            raise own_error(entry.body)
        return entry.body

    def note(self, name: str, value: bytes, kind: EditKind = "set") -> None:
        """Change metadata; in a later life, what has been changed is not changed again."""
        self.life.gate.check()
        self.life.notepad.note(name, value, kind)

    # --- who asks ----------------------------------------------------------------------------

    async def _admitted(self, what: str) -> Scope:
        scope = self._scope(what)
        await self.life.gate.admit()
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
        if scope is None or scope.crew is not self.life.crew:
            raise OutsideRun(
                f"{what} was called from code that the run's own tasks did not start",
                hint="Call it in the task, or in a task made by asyncio.create_task, gather or "
                "a task group there; not in a callback of the event loop.",
            )
        return scope


async def take_on(
    run: Execution,
    stream: StreamId,
    place: Place,
    *,
    fits: Callable[[bytes], T],
    line: str,
    on_invalid: Literal["wait", "raise"],
) -> Taken[T] | None:
    """Go on with a `take` in which a snapshot was made."""
    return await take(run.life, stream, place, fits=fits, line=line, on_invalid=on_invalid)


async def sleep_on(run: Execution, place: Place, *, line: str) -> None:
    """Go on with a `sleep` in which a snapshot was made."""
    await stand(run.life, place, None, line)
