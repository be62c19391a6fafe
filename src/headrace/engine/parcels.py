"""Packets: large values that are uploaded first, and named by the trigger that they are for.

Owns: how they lie in the store, how long, and how large they may be.
Must never know: URLs, or who may upload.
"""

from __future__ import annotations

from typing import Final

import anyio.to_thread
import msgspec
from msgspec import Raw

from headrace.engine.bound import Bound
from headrace.engine.core import Core
from headrace.engine.views import find_run
from headrace.errors import BadRequest, NotFound, TooLarge
from headrace.kernel.model import Completed, EnvId, Over, Run, later
from headrace.ports import Order, Packet
from headrace.wire import jsontext, packets
from headrace.wire.views import Large, RunView, TriggerOrder, filled

KEPT_MS: Final = 86_400_000


class Parcels(Bound):
    """The use cases about packets."""

    async def upload(self, key: str, packet: Packet) -> None:
        """Keep the packet for a day under `key`."""
        packets.check_key(key)
        if packet.kind not in packets.KINDS:
            known = ", ".join(sorted(packets.KINDS))
            raise BadRequest(f"a packet is of one of the types {known}")
        if len(packet.body) > packets.MOST:
            raise TooLarge(
                f"a packet holds at most {packets.MOST} bytes, this has {len(packet.body)}"
            )
        until = later(self._core.now(), KEPT_MS)
        value = packet.kind.encode() + b"\n" + packet.body
        await self._core.stores.blobs.put(_place(self._env, key), value, until)

    async def download(self, key: str) -> Packet:
        """Return the packet; `NotFound` once it is gone."""
        return await _packet(self._core, self._env, key)

    async def run_packet(self, run_id: str, name: Large) -> Packet:
        """Return the run's payload or output, however large."""
        run = await find_run(self._core, self._env, run_id)
        body = (
            await _payload(self._core, run)
            if name == "payload"
            else await output_of(self._core, run)
        )
        if not body:
            raise NotFound(f"run {run.id} has no {name}")
        return Packet(packets.JSON, body)

    async def whole(self, view: RunView) -> RunView:
        """Return the view with what it leaves out because it is large."""
        for name in view.large:
            body = Raw((await self.run_packet(view.id, name)).body)
            view = filled(view, name, body)
        return view


async def _payload(core: Core, run: Run) -> bytes:
    return (await core.stores.runs.order(run.id) or Order()).payload


async def output_of(core: Core, run: Run) -> bytes:
    """Return what the run has returned, empty for nothing."""
    match run.state:
        case Over(outcome=Completed(output=output, stored=stored)):
            return await core.stores.blobs.get(stored) or b"" if stored else output
        case _:
            return b""


async def put_away(core: Core, run: Run, output: bytes) -> str:
    """Put a large output where the end of the run finds it; return its key.

    The same output again is the same key, so that a retry doubles nothing, and another worker's
    replaces nothing. Whatever the run does not end with is thrown away after a day; what it ends
    with stays as long as the run does.
    """
    if len(output) > packets.MOST:
        raise TooLarge(f"a result holds at most {packets.MOST} bytes, this has {len(output)}")
    key = f"output/{run.env}/{run.id}/{jsontext.digest(output).hex()}"
    await core.stores.blobs.put(key, output, later(core.now(), KEPT_MS))
    return key


async def opened(core: Core, env: EnvId, order: TriggerOrder) -> TriggerOrder:
    """Return the order with the value itself, where it names a packet in the store."""
    if order.options.payload_type != packets.STORE:
        return order
    key = packets.stored_key(bytes(order.payload))
    try:
        packet = await _packet(core, env, key)
    except NotFound as error:
        raise BadRequest(error.message, hint=error.hint) from None
    # Some megabytes take a while to read; others must not wait for it.
    payload = await anyio.to_thread.run_sync(_text, packet)
    options = msgspec.structs.replace(order.options, payload_type="")
    return msgspec.structs.replace(order, payload=Raw(payload), options=options)


def _text(packet: Packet) -> bytes:
    return packets.text_in(packet.body, packet.kind)


async def _packet(core: Core, env: EnvId, key: str) -> Packet:
    packets.check_key(key)
    value = await core.stores.blobs.get(_place(env, key))
    if value is None:
        raise NotFound(
            f"there is no packet {key!r}", hint="Packets are kept for a day: upload it again."
        )
    kind, _, body = value.partition(b"\n")
    return Packet(kind.decode(), body)


def _place(env: EnvId, key: str) -> str:
    return f"packet/{env}/{key}"
