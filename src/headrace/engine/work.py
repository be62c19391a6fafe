"""The worker's side of the door: attaching, and taking operations in.

Owns: the resync of a worker that comes back, and telling refusals. Every answer is a push.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

from headrace.engine.core import Core
from headrace.engine.dispatch import LEASE_MS, nothing
from headrace.engine.landing import holder
from headrace.engine.operations import Step, reach_out, step_of
from headrace.engine.seats import Receive, Seat
from headrace.engine.sheet import Sheet
from headrace.errors import HeadraceError, NotFound
from headrace.kernel import machine
from headrace.kernel.commands import Fenced, Refused
from headrace.kernel.model import EnvId, RunId, WorkerId, later
from headrace.wire import channel
from headrace.wire.channel import Hello, Holding, Operation, Renewed


@asynccontextmanager
async def attach(core: Core, env: EnvId, hello: Hello) -> AsyncGenerator[Seat]:
    """Seat a worker until it leaves; its lease goes on, so that it may come back."""
    seat = Seat(WorkerId(hello.worker), env, hello.tasks, hello.slots, receiver(core))
    seat.pending.update(RunId(holding.run) for holding in hello.holdings)
    core.seats.add(seat)
    try:
        await core.stores.leases.renew(seat.worker, later(core.now(), LEASE_MS))
        for holding in hello.holdings:
            answer = core.post(RunId(holding.run), _Resume(core, seat, holding))
            answer.add_done_callback(_teller(seat, holding.run, holding.epoch, ""))
        for run_id in await core.stores.runs.held(seat.worker):
            if run_id not in seat.pending and run_id not in seat.known:
                core.post(run_id, nothing)
        core.wanted.set()
        yield seat
    finally:
        core.seats.remove(seat)


class _Resume:
    """The job of telling a worker what it missed of one run."""

    def __init__(self, core: Core, seat: Seat, holding: Holding) -> None:
        self._core, self._seat, self._holding = core, seat, holding

    async def __call__(self, sheet: Sheet) -> object:
        run, seat = sheet.run, self._seat
        if not machine.holds(run, self._holding.epoch) or holder(run) != seat.worker:
            seat.pending.discard(run.id)
            seat.push(channel.Fenced(run.id, self._holding.epoch))
            return None
        await self._core.lander.resume(seat, run, self._holding.next_n)
        return None


def receiver(core: Core) -> Receive:
    """Return what takes a worker's operations in."""

    def receive(seat: Seat, operations: Sequence[Operation]) -> None:
        for operation in operations:
            _take_in(core, seat, operation)

    return receive


def _take_in(core: Core, seat: Seat, op: Operation) -> None:
    if isinstance(op, Renewed):
        seat.slots = op.slots
        core.wanted.set()
        core.start(_renew(core, seat))
        return
    run_id = RunId(op.run)
    key: str = getattr(op, "key", "") or (
        op.entry.key if isinstance(op, channel.Remembered) else ""
    )
    tell = _teller(seat, op.run, op.epoch, key)
    step = step_of(core, op)
    if step is not None:
        core.post(run_id, _Unanswered(seat, run_id, key, step)).add_done_callback(tell)
    elif isinstance(op, channel.Started | channel.Sent):
        core.start(_beside(core, seat, op))


class _Unanswered:
    """The job of an operation, unless its answer was pushed with what the worker had missed.

    Looked at when its turn comes: only then has the worker's return been dealt with.
    """

    def __init__(self, seat: Seat, run_id: RunId, key: str, step: Step) -> None:
        self._seat, self._run_id, self._key, self._step = seat, run_id, key, step

    async def __call__(self, sheet: Sheet) -> object:
        if self._key and self._key in self._seat.answered.get(self._run_id, ()):
            return None
        return await self._step(sheet)


async def _renew(core: Core, seat: Seat) -> None:
    """Carry the lease on; where the store fails, it lapses, and that is told by fencing."""
    try:
        await core.stores.leases.renew(seat.worker, later(core.now(), LEASE_MS))
    except HeadraceError:
        return


async def _beside(core: Core, seat: Seat, op: channel.Started | channel.Sent) -> None:
    try:
        await reach_out(core, seat, op)
    except (HeadraceError, Refused) as error:
        _tell(seat, error, op.run, op.epoch, op.key)


def _teller(seat: Seat, run: str, epoch: int, key: str) -> Callable[[asyncio.Future[object]], None]:
    def tell(answer: asyncio.Future[object]) -> None:
        if answer.cancelled():
            return
        error = answer.exception()
        if error is not None:
            _tell(seat, error, run, epoch, key)

    return tell


def _tell(seat: Seat, error: BaseException, run: str, epoch: int, key: str) -> None:
    """Push the refusal of one operation."""
    match error:
        case Fenced() | NotFound() if not key or isinstance(error, Fenced):
            seat.pending.discard(RunId(run))
            seat.push(channel.Fenced(run, epoch))
        case Refused():
            code = type(error).__name__.lower()
            seat.push(channel.Refusal(run, epoch, key, code, str(error)))
        case HeadraceError(code=code):
            seat.push(channel.Refusal(run, epoch, key, code, str(error)))
        case _:
            seat.push(channel.Refusal(run, epoch, key, "unavailable", "the server failed"))
