"""Routes about packets: values that are uploaded before the trigger that names them.

Owns: how their requests read and their answers look. Must never know: where packets lie.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from headrace.errors import BadRequest, Mistake, NotFound, TooLarge, Unauthorized
from headrace.ports import Packet
from headrace.server.calls import Answer, Call
from headrace.server.policy import SecretKey, Uploads
from headrace.server.routes import Param, Route
from headrace.server.signatures import PACKETS, Signatures, Signed
from headrace.wire import packets
from headrace.wire.views import Wire

_encode: Final = msgspec.json.Encoder().encode
_KINDS: Final = tuple(sorted(packets.KINDS))
_SIGNED: Final = tuple(
    Param(name, "query", "part of the signed URL") for name in ("env", "expires", "signature")
)


class _Place(Wire, frozen=True, kw_only=True):
    presigned_url: str
    storage_path: str


class _Way(Wire, frozen=True, kw_only=True):
    presigned_url: str


class _Nothing(Wire, frozen=True, kw_only=True):
    pass


class Parcels:
    """The routes, with what signs their URLs."""

    def __init__(self, signatures: Signatures) -> None:
        self._signatures = signatures

    async def make_room(self, call: Call) -> Answer:
        """Say where a packet can be uploaded to."""
        key = call.params["key"]
        packets.check_key(key)
        url = self._signatures.url(call, "PUT", key)
        return Answer(_encode(_Place(presigned_url=url, storage_path=key)))

    async def find(self, call: Call) -> Answer:
        """Say where a packet can be downloaded from."""
        key = call.params["key"]
        await call.api.download(key)
        return Answer(_encode(_Way(presigned_url=self._signatures.url(call, "GET", key))))

    async def upload(self, call: Call) -> Answer:
        """Take a packet; its type is that of the body."""
        kind = call.header("content-type").partition(";")[0].strip().lower()
        body = await call.body(packets.MOST)
        await call.api.upload(call.params["key"], Packet(kind, body))
        return Answer(_encode(_Nothing()))

    async def download(self, call: Call) -> Answer:
        """Give a packet, as the type that it was uploaded as."""
        packet = await call.api.download(call.params["key"])
        headers = {
            "content-type": packet.kind,
            "x-content-type-options": "nosniff",
            "content-disposition": "attachment",
            "cache-control": "private, no-store",
        }
        return Answer(packet.body, headers=headers)

    def routes(self) -> list[Route]:
        """Declare them."""
        return [
            Route(
                method="PUT",
                path="/api/v2/packets/{key}",
                policy=Uploads(),
                handler=self.make_room,
                summary="Say where a packet can be uploaded to.",
                gives=_Place,
                errors=(BadRequest, Mistake),
                deep=True,
            ),
            Route(
                method="GET",
                path="/api/v1/packets/{key}",
                policy=SecretKey("read", "runs"),
                handler=self.find,
                summary="Say where a packet can be downloaded from.",
                gives=_Way,
                errors=(BadRequest, NotFound, Mistake),
                deep=True,
            ),
            *self._signed(),
        ]

    def _signed(self) -> list[Route]:
        return [
            Route(
                method="PUT",
                path=f"{PACKETS}{{key}}",
                policy=Signed(self._signatures, "PUT"),
                handler=self.upload,
                summary="Take a packet by a signed URL.",
                takes=Raw,
                takes_as=_KINDS,
                optional=True,
                gives=_Nothing,
                errors=(Unauthorized, BadRequest, TooLarge),
                params=_SIGNED,
            ),
            Route(
                method="GET",
                path=f"{PACKETS}{{key}}",
                policy=Signed(self._signatures, "GET"),
                handler=self.download,
                summary="Give a packet by a signed URL.",
                gives=Raw,
                gives_as=_KINDS,
                errors=(Unauthorized, BadRequest, NotFound),
                params=_SIGNED,
            ),
        ]
