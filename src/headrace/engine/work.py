"""The worker's side of the door: attaching, and taking operations in.

Owns: the resync of a worker that comes back, and its operations' way to their runs. Every answer
is a push; `refusals` makes those that are none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

from headrace.engine.core import Core
from headrace.engine.deploys import try_again
from headrace.engine.dispatch import LEASE_MS
from headrace.engine.hints import Seated, said
from headrace.engine.jobs import caught_up, nothing
from headrace.engine.operations import Posted, step_of
from headrace.engine.reaching import reach_out
from headrace.engine.refusals import Refuser
from headrace.engine.seats import Receive, Seat
from headrace.engine.sheet import Sheet
from headrace.errors import HeadraceError, NotFound, Unavailable
from headrace.kernel import machine
from headrace.kernel.model import EnvId, Run, RunId, WorkerId, later
from headrace.ports import Unseated
from headrace.wire import channel
from headrace.wire.channel import Hello, Holding, Operation, Renewed


@asynccontextmanager
async def attach(core: Core, env: EnvId, hello: Hello) -> AsyncGenerator[Seat]:
    """Seat a worker until it leaves; its lease goes on, so that it may come back."""
    # A name is its environment's own: nobody elsewhere can take a worker's place, or its runs.
    worker = WorkerId(f"{env}/{hello.worker}")
    seat = Seat(worker, env, hello, receiver(core), core.now)
    seat.pending.update(RunId(holding.run) for holding in hello.holdings)
    seat.running |= seat.pending  # until it is known which of them only wait
    # First: from a worker without a lease every run is taken.
    seat.lasts = later(core.now(), LEASE_MS)
    seat.number = await core.stores.leases.sit(seat.worker, later(core.now(), LEASE_MS))
    seat.heard = core.now()
    core.seats.add(seat)
    if core.presence is not None:
        core.presence.seated(seat.worker)
    try:
        await core.tell(said(Seated(seat.worker, seat.number)))
        for holding in hello.holdings:
            core.desk(RunId(holding.run)).doubt()  # it was elsewhere
            answer = core.post(RunId(holding.run), _Resume(core, seat, holding))
            answer.add_done_callback(_resumed(core, seat, holding))
        for run_id in await core.stores.runs.held(seat.worker):
            if run_id not in seat.pending and run_id not in seat.known:
                core.post(run_id, nothing)
        core.start(try_again(core, seat, hello.version))
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
        if (
            run.env != seat.env
            or machine.holder(run) != seat.worker
            or run.epoch != self._holding.epoch
        ):
            Refuser(self._core, seat, self._holding).fence()
            return None
        await self._core.teller.resume(seat, run, self._holding.next_n)
        return sheet.run


def _resumed(core: Core, seat: Seat, holding: Holding) -> Callable[[asyncio.Future[object]], None]:
    refuser = Refuser(core, seat, holding)

    def look(answer: asyncio.Future[object]) -> None:
        match answer.exception():
            case NotFound():
                refuser.fence()
            case HeadraceError():  # what it missed could not be read: let it come again
                core.seats.remove(seat)
            case None:
                _look_behind(core, answer.result())
            case _:
                refuser.look(answer)

    return look


def _look_behind(core: Core, run: object) -> None:
    """Read the log behind the waits: who was to do so after their commit may have died."""
    if isinstance(run, Run) and run.waits:
        core.post(run.id, caught_up)


def receiver(core: Core) -> Receive:
    """Return what takes a worker's operations in."""

    def receive(seat: Seat, operations: Sequence[Operation]) -> None:
        for operation in operations:
            _take_in(core, seat, operation)

    return receive


def _take_in(core: Core, seat: Seat, op: Operation) -> None:
    if isinstance(op, Renewed):
        seat.slots, seat.heard = op.slots, core.now()
        core.wanted.set()
        core.start(_renew(core, seat))
        return
    refuser = Refuser(core, seat, op)
    try:
        _post(core, seat, op, refuser)
    except Unavailable:
        raise  # the engine has been closed: so is the attachment
    except Exception as error:  # noqa: BLE001 - a bug at one operation is not that of the others
        refuser.tell(error)


def _post(core: Core, seat: Seat, op: Operation, refuser: Refuser) -> None:
    step = step_of(core, op)
    if step is not None:
        # Output is told apart by its stream, metadata by its name: their keys are none of the
        # journal's.
        asked = "" if isinstance(op, channel.Emitted | channel.Noted) else refuser.key
        seen = op.seen if isinstance(op, channel.Standing | channel.Parked | channel.Saved) else -1
        job = Posted(core.teller, seat, refuser.epoch, asked, step, seen)
        core.post(refuser.run_id, job).add_done_callback(refuser.look)
    elif isinstance(op, channel.Started | channel.Sent):
        core.start(_beside(core, seat, op, refuser))


async def _renew(core: Core, seat: Seat) -> None:
    """Carry the lease on; where the store fails, it lapses, and that is told by fencing."""
    now = core.now()
    try:
        end = await core.stores.leases.renew(seat.worker, later(now, LEASE_MS), seat.number)
    except Unseated:  # whatever it says here is late: it sits elsewhere, or has to come again
        core.seats.remove(seat)
    except HeadraceError:
        return
    else:
        seat.lasts = max(seat.lasts, end)
        if core.presence is not None:
            await core.presence.say(seat, now)


async def _beside(
    core: Core, seat: Seat, op: channel.Started | channel.Sent, refuser: Refuser
) -> None:
    try:
        await reach_out(core, seat, op)
    except Exception as error:  # noqa: BLE001 - whatever it is, the run must hear of it
        refuser.tell(error)
