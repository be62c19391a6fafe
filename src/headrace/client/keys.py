"""The `KeysApi` over HTTP."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec

from headrace.client.transport import Call, Transport
from headrace.wire.keys import (
    KeyList,
    KeyMade,
    KeyOrder,
    KeyView,
    PublicTokenMade,
    PublicTokenOrder,
    Rotation,
)

KEYS: Final = "/api/headrace/v1/keys"
_encode: Final = msgspec.json.Encoder().encode


class KeysClient:
    """Make and end secret keys of a server elsewhere; have public tokens signed there."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    async def create_key(self, order: KeyOrder) -> KeyMade:
        """Make a key of the environment."""
        return (await self._http.call(Call("POST", KEYS, _encode(order)))).parse(KeyMade)

    async def list_keys(self) -> KeyList:
        """List the environment's keys, newest first."""
        return (await self._http.call(Call("GET", KEYS))).parse(KeyList)

    async def revoke_key(self, key_id: str) -> KeyView:
        """End a key now, and every token that it has signed."""
        path = f"{KEYS}/{quote(key_id, safe='')}/revoke"
        return (await self._http.call(Call("POST", path))).parse(KeyView)

    async def rotate_key(self, key_id: str, rotation: Rotation) -> KeyMade:
        """Make another key in its place; the one from before holds for the grace."""
        path = f"{KEYS}/{quote(key_id, safe='')}/rotate"
        return (await self._http.call(Call("POST", path, _encode(rotation)))).parse(KeyMade)

    async def public_token(self, order: PublicTokenOrder) -> PublicTokenMade:
        """Have a public token signed."""
        call = Call("POST", "/api/v1/auth/public-tokens", _encode(order))
        return (await self._http.call(call)).parse(PublicTokenMade)
