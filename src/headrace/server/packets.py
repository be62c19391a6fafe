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
from headrace.server.retrieving import SIGNED, Presigned, given
from headrace.server.routes import Route
from headrace.server.signatures import Signatures, Signed, Way
from headrace.wire import packets
from headrace.wire.views import Wire

_encode: Final = msgspec.json.Encoder().encode
_KINDS: Final = tuple(sorted(packets.KINDS))
_PATH: Final = "/api/headrace/v1/packets/{key}"
PUT: Final = Way("PUT", _PATH, ("key",))
GET: Final = Way("GET", _PATH, ("key",))


class _Place(Wire, frozen=True, kw_only=True):
    presigned_url: str
    storage_path: str


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
        url = self._signatures.url(call, PUT, {"key": key})
        return Answer(_encode(_Place(presigned_url=url, storage_path=key)))

    async def find(self, call: Call) -> Answer:
        """Say where a packet can be downloaded from."""
        key = call.params["key"]
        await call.api.download(key)
        return Answer(
            _encode(Presigned(presigned_url=self._signatures.url(call, GET, call.params)))
        )

    async def upload(self, call: Call) -> Answer:
        """Take a packet; its type is that of the body."""
        kind = call.header("content-type").partition(";")[0].strip().lower()
        body = await call.body(packets.MOST)
        await call.api.upload(call.params["key"], Packet(kind, body))
        return Answer(_encode(_Nothing()))

    async def download(self, call: Call) -> Answer:
        """Give a packet, as the type that it was uploaded as."""
        return given(await call.api.download(call.params["key"]))

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
                gives=Presigned,
                errors=(BadRequest, NotFound, Mistake),
                deep=True,
            ),
            *self._signed(),
        ]

    def _signed(self) -> list[Route]:
        return [
            Route(
                method="PUT",
                path=_PATH,
                policy=Signed(self._signatures, PUT),
                handler=self.upload,
                summary="Take a packet by a signed URL.",
                takes=Raw,
                takes_as=_KINDS,
                optional=True,
                gives=_Nothing,
                errors=(Unauthorized, BadRequest, TooLarge),
                params=SIGNED,
            ),
            Route(
                method="GET",
                path=_PATH,
                policy=Signed(self._signatures, GET),
                handler=self.download,
                summary="Give a packet by a signed URL.",
                gives=Raw,
                gives_as=_KINDS,
                errors=(Unauthorized, BadRequest, NotFound),
                params=SIGNED,
            ),
        ]
