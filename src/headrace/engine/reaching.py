"""What a run starts or sends: it happens elsewhere, and then the run remembers what came of it.

Owns: that it happens once, however often the worker asks. Must never know: how the answer travels.
"""

from __future__ import annotations

import msgspec

from headrace.engine.core import Core
from headrace.engine.operations import Accepted, Posted, Remembered, fault_of
from headrace.engine.seats import Seat
from headrace.engine.sends import Crowded, Message, key_of, send
from headrace.engine.triggers import Start, trigger
from headrace.errors import BadRequest, HeadraceError, Trouble
from headrace.kernel.model import EPOCH, Entry, EnvId, Key, Kind, RunId
from headrace.wire import channel
from headrace.wire.views import TriggerOrder

_order_of = msgspec.json.Decoder(TriggerOrder).decode


async def reach_out(core: Core, seat: Seat, op: channel.Started | channel.Sent) -> None:
    """Start or send for a run, then record what came of it.

    It happens beside the run's desk: two runs that send to each other must not wait for one
    another. Doing it again finds the same child and the same record, by a key of run and place.
    """
    run_id = RunId(op.run)
    if not await core.post(run_id, Posted(core.teller, seat, op.epoch, op.key, Accepted(op.epoch))):
        return
    kind: Kind = "trigger" if isinstance(op, channel.Started) else "send"
    try:
        body, failed = await _reach(core, seat.env, op), False
    except HeadraceError as error:
        if isinstance(error, Trouble) and not isinstance(error, Crowded):
            raise  # it may have happened: the worker asks again, and finds the same one
        body, failed = fault_of(error), True
    entry = Entry(
        n=0,
        key=Key(op.key),
        kind=kind,
        ending="failure" if failed else "value",
        body=body,
        at=EPOCH,
        fingerprint=op.fingerprint,
        line=op.line,
    )
    await core.post(run_id, Remembered(op.epoch, entry, own=False))


async def _reach(core: Core, env: EnvId, op: channel.Started | channel.Sent) -> bytes:
    place = f"{op.run}/{op.key}"
    if isinstance(op, channel.Started):
        start = Start(env, op.task, _decoded(op.order), place, RunId(op.run))
        created = await trigger(core, start)
        cached = created.cached and not created.by_request
        return msgspec.json.encode({"id": created.run_id, "isCached": cached})
    key = key_of("key", op.idempotency_key) if op.idempotency_key else key_of("run", place)
    spec = await core.specs.stream(env, op.stream)
    message = Message(core, env, op.stream, op.body, key, trusted=True, spec=spec)
    return msgspec.json.encode(await send(core, message, op.target))


def _decoded(order: bytes) -> TriggerOrder:
    try:
        return _order_of(order)
    except msgspec.MsgspecError as error:
        message = f"the order is malformed: {error}"
        raise BadRequest(message) from error
