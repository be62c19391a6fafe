"""The use cases about packets, values too large to send inline, as a Protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from headrace.wire.views import Large, RunView


@dataclass(frozen=True, slots=True)
class Packet:
    """A value as it was uploaded: the text of a packet and its type."""

    kind: str
    body: bytes


class PacketsApi(Protocol):
    """Upload a large value before the trigger that names it."""

    async def upload(self, key: str, packet: Packet) -> None:
        """Keep the packet for a day under `key`; the same key again replaces it."""
        ...

    async def download(self, key: str) -> Packet:
        """Return the packet; `NotFound` once it is gone."""
        ...

    async def run_packet(self, run_id: str, name: Large) -> Packet:
        """Return the run's payload or output, however large; `NotFound` where it has none."""
        ...

    async def whole(self, view: RunView) -> RunView:
        """Return the view with what it leaves out because it is large."""
        ...
