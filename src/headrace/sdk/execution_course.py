"""A task's course: from its first line to its end, or until it is put away.

Owns: the task itself, its stopping, what happens to what it leaves behind, and how its end is
told. Must never know: what it asks on the way.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from headrace.errors import Mistake, TooLarge
from headrace.frames import NotRestored
from headrace.kernel.journal import Asked
from headrace.sdk.execution_faults import cause_of
from headrace.sdk.scope import Branch, Scope, spawn
from headrace.wire import channel
from headrace.wire.packets import MOST
from headrace.wire.registration import TaskSpec

if TYPE_CHECKING:
    from headrace.sdk.execution_life import Life

GRACE_S: Final = 5.0
"""How long a handler, or what else still runs, may go on when the task has returned."""
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.run")


class Runnable(Protocol):
    """A registered task."""

    @property
    def id(self) -> str:
        """Return the task's id."""
        ...

    @property
    def spec(self) -> TaskSpec:
        """Return what the task declares."""
        ...

    async def execute(self, payload: bytes) -> bytes:
        """Decode the payload, run the task, encode the result: JSON text in and out."""
        ...


class Ear(Protocol):
    """A live `on`."""

    line: str

    def off(self) -> None:
        """Hear no more."""
        ...

    async def ended(self) -> None:
        """Return once the message at hand has been handled, within the grace."""
        ...


class Course:
    """One attempt at the task, in this worker."""

    def __init__(self, life: Life, runnable: Runnable, *, stopping: bool, grace_s: float) -> None:
        self._life, self._runnable, self._grace_s = life, runnable, grace_s
        self.is_stopping = stopping
        """Whether the run has been told to end."""
        self.no_more_waits = False
        """Whether the task has been told so: its waits are over."""
        self._main: Branch | None = None
        self._failure: Exception | None = None
        self._has_begun = self._is_returning = False

    def begin(self, context: contextvars.Context, scope: Scope) -> None:
        """Start the task."""
        self._main = spawn(self._whole(), scope, context)
        self._life.replay.pulse.stir()
        if self.is_stopping:
            self._life.replay.when_told(self._cancel)

    def stop(self) -> None:
        """Cancel the task, once it is where it was when the run was told to stop."""
        if not self.is_stopping:
            self.is_stopping = True
            self._life.replay.when_told(self._cancel)

    def stops_now(self) -> bool:
        """Cancel a task that is to stop and waits for nothing else; tell whether it is so."""
        if self.is_stopping and not self.no_more_waits:
            self._cancel()
            return True
        return False

    def _cancel(self) -> None:
        main = self._main
        is_late = self.no_more_waits or self._is_returning or self._life.gate.is_closed
        if main is None or is_late:
            return
        if not self._has_begun or asyncio.current_task() is main:
            # A task that is cancelled before its first step runs no code, not even ours; and one
            # that cancels itself while it runs would be cancelled a second time in its clean-up.
            main.get_loop().call_soon(self._cancel)
            return
        self.no_more_waits = True
        main.cancel()

    def may_wait(self, asked: Asked) -> bool:
        """Tell whether a wait is accepted: none after the task was told to stop.

        One that an earlier life of the run has had an answer to keeps it.
        """
        return not self.no_more_waits or self._life.asking.is_known(asked)

    def beside(self) -> tuple[Branch, ...]:
        """Return the live branches beside the task."""
        return self._life.crew.others(self._main)

    def when_over(self, tidy: Callable[[], None]) -> None:
        """Call `tidy` when the task has ended."""
        if self._main is not None:
            self._main.add_done_callback(lambda _: tidy())

    def fail(self, error: Exception) -> None:
        """End the attempt from a branch beside the task: a handler has raised."""
        if self._failure is None and not self._life.is_gone:
            self._failure = error
            self.dismiss()

    def dismiss(self) -> None:
        """End the code: nothing that it still asks is answered."""
        life = self._life
        life.gate.close()
        life.crew.is_dismissed = True
        for emission in life.emissions.values():
            emission.cancel()
        for branch in life.crew.others(self._main):
            branch.cancel()
        if self._main is not None and not self._main.done():
            self._main.cancel()  # also one that waits for its thread

    async def _whole(self) -> None:
        """Run the task, and say how it ended."""
        life = self._life
        self._has_begun = True
        try:
            output = await self._executed()
            self._is_returning = True
            await self._wind_up()
            end: channel.Operation = channel.Completed(life.run_id, life.epoch, _sized(output))
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - however it ended, it is the task's end
            self._is_returning = True
            if life.is_gone or self._is_unfit(error):
                return
            end = await self._why(error)
        life.end(end)

    async def _executed(self) -> bytes:
        suspension = self._life.suspension
        if suspension is None:
            return await self._runnable.execute(self._life.payload)
        return await suspension.executed(self._life.payload, self._life.opening.opened)

    def _is_unfit(self, error: BaseException) -> bool:
        """Tell whether the snapshot could not be taken up; then none of the code has run."""
        suspension = self._life.suspension
        if suspension is None or suspension.has_code_run:
            return False
        if isinstance(error, NotRestored):
            self._life.opening.unfit(str(error))
            return True
        return False

    async def _wind_up(self) -> None:
        """Let what the task has started come to an end, at the place where it returned.

        What is still owed then is answers to what ends now.
        """
        life = self._life
        for ear in tuple(life.ears.values()):
            ear.off()
        for ear in tuple(life.leaving):
            await ear.ended()
        self.no_more_waits = True
        branches = life.crew.others(self._main)
        forgotten = sum(not branch.cancelling() for branch in branches)
        if forgotten:
            _log.warning(
                "the task has returned while others of its branches ran; they are cancelled",
                run=life.run_id,
                branches=forgotten,
            )
        await self._cancelled(branches)
        await life.replay.caught_up()

    async def _cancelled(self, branches: tuple[Branch, ...]) -> None:
        for branch in branches:
            if not branch.cancelling():
                branch.cancel()
        if branches:
            await asyncio.wait(branches, timeout=self._grace_s)

    async def _why(self, error: BaseException) -> channel.Operation:
        """Say why the task ended without a result; its other branches end with it."""
        life = self._life
        life.gate.close()
        life.crew.is_dismissed = True
        await self._cancelled(life.crew.others(self._main))
        if self._failure is None and isinstance(error, asyncio.CancelledError):
            return channel.Yielded(life.run_id, life.epoch)
        await life.ledger.quiet()
        reason = self._failure or error
        cause = await asyncio.to_thread(cause_of, reason)
        again = not isinstance(reason, Mistake)
        retry = self._runnable.spec.retry
        return life.tail.raised((life.run_id, life.epoch), cause, retry, again=again)


def _sized(output: bytes) -> bytes:
    if len(output) > MOST:
        message = f"a result holds at most {MOST} bytes, this has {len(output)}"
        raise TooLarge(message)
    return output
