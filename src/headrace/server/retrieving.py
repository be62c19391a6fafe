"""Routes that show a run, and its payload and output where they are too large to be shown with it.

Owns: how their requests read and their answers look. Must never know: where large values lie.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Raw, structs

from headrace.errors import Mistake, NotFound, Unauthorized
from headrace.ports import Packet
from headrace.server.calls import Answer, Call
from headrace.server.policy import OfRun
from headrace.server.routes import Param, Route
from headrace.server.shown import SHOWN, shown
from headrace.server.signatures import Signatures, Signed, Way
from headrace.wire import http, packets
from headrace.wire.views import Large, Wire

_encode: Final = msgspec.json.Encoder().encode
RUN_PACKET: Final = Way("RUN", "/api/headrace/v1/runs/{run}/packets/{part}", ("run", "part"))
"""A method of no request: what signs for this opens no packet that was uploaded."""
_VERSION: Final = Param(http.API_VERSION, "header", "which names statuses have")
SIGNED: Final = tuple(
    Param(name, "query", "part of the signed URL") for name in ("env", "expires", "signature")
)


class Presigned(Wire, frozen=True, kw_only=True):
    """From where a packet can be downloaded."""

    presigned_url: str


def given(packet: Packet) -> Answer:
    """Give a packet, as the type that it has; no page of ours is made of what somebody uploads."""
    headers = {
        "content-type": packet.kind,
        "x-content-type-options": "nosniff",
        "content-disposition": "attachment",
        "cache-control": "private, no-store",
    }
    return Answer(packet.body, headers=headers)


class Retrieving:
    """The routes, with what signs their URLs."""

    def __init__(self, signatures: Signatures) -> None:
        self._signatures = signatures

    async def retrieve(self, call: Call) -> Answer:
        """Show a run, and where to find what of it is large."""
        view = await call.api.retrieve(call.params["run"])
        with suppress(Mistake):  # where nothing can sign, the run is shown all the same
            if "payload" in view.large:
                view = structs.replace(view, payload_presigned_url=self._url(call, "payload"))
            if "output" in view.large:
                view = structs.replace(view, output_presigned_url=self._url(call, "output"))
        return Answer(shown(call, view))

    async def find_run_packet(self, call: Call) -> Answer:
        """Say where a run's payload or output can be downloaded from."""
        view, part = await call.api.retrieve(call.params["run"]), _part(call.params["part"])
        there = view.payload if part == "payload" else view.output
        if part not in view.large and isinstance(there, msgspec.UnsetType):
            raise NotFound(f"run {view.id} has no {part}")
        return Answer(_encode(Presigned(presigned_url=self._url(call, part))))

    async def download_run_packet(self, call: Call) -> Answer:
        """Give a run's payload or output."""
        part = _part(call.params["part"])
        return given(await call.api.run_packet(call.params["run"], part))

    def _url(self, call: Call, part: Large) -> str:
        return self._signatures.url(call, RUN_PACKET, {"run": call.params["run"], "part": part})

    def routes(self) -> list[Route]:
        """Declare them."""
        return [
            Route(
                method="GET",
                path="/api/v3/runs/{run}",
                policy=OfRun("read"),
                handler=self.retrieve,
                summary="Show a run.",
                gives=SHOWN,
                errors=(NotFound, Mistake),
                params=(_VERSION,),
            ),
            Route(
                method="GET",
                path="/api/v1/runs/{run}/packets/{part}",
                policy=OfRun("read"),
                handler=self.find_run_packet,
                summary="Say where a run's payload or output can be downloaded from.",
                gives=Presigned,
                errors=(NotFound, Mistake),
            ),
            Route(
                method="GET",
                path=RUN_PACKET.path,
                policy=Signed(self._signatures, RUN_PACKET),
                handler=self.download_run_packet,
                summary="Give a run's payload or output by a signed URL.",
                gives=Raw,
                gives_as=(packets.JSON,),
                errors=(Unauthorized, NotFound),
                params=SIGNED,
            ),
        ]


def _part(name: str) -> Large:
    match name:
        case "payload" | "output":
            return name
        case _:
            raise NotFound("a run has the packets payload and output")
