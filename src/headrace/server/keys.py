"""Routes about secret keys, and about public tokens that the server signs.

Owns: how their requests read; that nobody gives away more than he has.
Must never know: how a key is made or kept.
"""

from __future__ import annotations

from typing import Final

import msgspec

from headrace.errors import BadRequest, Mistake, NotFound, TooLarge
from headrace.server.bodies import read_as
from headrace.server.calls import Answer, Call
from headrace.server.policy import AnyKey, RootKey
from headrace.server.routes import Route
from headrace.wire.keys import (
    KeyList,
    KeyMade,
    KeyOrder,
    KeyView,
    PublicTokenMade,
    PublicTokenOrder,
    Rotation,
)

BODY: Final = 262_144
_NOTHING: Final = b"{}"
KEYS: Final = "/api/headrace/v1/keys"
_encode: Final = msgspec.json.Encoder().encode


async def create_key(call: Call) -> Answer:
    """Make a key of the caller's environment."""
    order = read_as(KeyOrder, await call.body(BODY) or _NOTHING)
    return Answer(_encode(await call.api.create_key(order)))


async def list_keys(call: Call) -> Answer:
    """List the keys of the caller's environment."""
    return Answer(_encode(await call.api.list_keys()))


async def revoke_key(call: Call) -> Answer:
    """End a key now."""
    return Answer(_encode(await call.api.revoke_key(call.params["key"])))


async def rotate_key(call: Call) -> Answer:
    """Make another key in its place."""
    rotation = read_as(Rotation, await call.body(BODY) or _NOTHING)
    return Answer(_encode(await call.api.rotate_key(call.params["key"], rotation)))


async def public_token(call: Call) -> Answer:
    """Sign a public token, for what the caller itself may do."""
    order = read_as(PublicTokenOrder, await call.body(BODY) or _NOTHING)
    permits = call.caller.permits if call.caller else None
    if permits is not None and (denied := permits.denied(order.scopes)):
        # In the very words that the official clients know.
        said = {
            "ok": False,
            "error": "The key does not permit all of these scopes",
            "code": "scopes_exceed_key_access",
            "deniedScopes": denied,
        }
        return Answer(_encode(said), 403)
    return Answer(_encode(await call.api.public_token(order)))


ROUTES: Final = [
    Route(
        method="POST",
        path="/api/v1/auth/public-tokens",
        policy=AnyKey(),
        handler=public_token,
        summary="Sign a public token; a restricted key gives no more than it has.",
        takes=PublicTokenOrder,
        gives=PublicTokenMade,
        errors=(BadRequest, TooLarge, Mistake),
    ),
    Route(
        method="POST",
        path=KEYS,
        policy=RootKey(),
        handler=create_key,
        summary="Make a secret key; its answer is the only one that shows it.",
        takes=KeyOrder,
        optional=True,
        gives=KeyMade,
        errors=(BadRequest, TooLarge),
    ),
    Route(
        method="GET",
        path=KEYS,
        policy=RootKey(),
        handler=list_keys,
        summary="List the secret keys of the environment, newest first.",
        gives=KeyList,
    ),
    Route(
        method="POST",
        path=f"{KEYS}/{{key}}/revoke",
        policy=RootKey(),
        handler=revoke_key,
        summary="End a key now, and every public token that it has signed.",
        gives=KeyView,
        errors=(NotFound, Mistake),
    ),
    Route(
        method="POST",
        path=f"{KEYS}/{{key}}/rotate",
        policy=RootKey(),
        handler=rotate_key,
        summary="Make another key in its place; the one from before holds for the grace.",
        takes=Rotation,
        optional=True,
        gives=KeyMade,
        errors=(NotFound, BadRequest, TooLarge, Mistake),
    ),
]
