"""The route that makes tokens of streams, for clients outside of tasks.

Owns: how its requests read.
Must never know: how such a token stands.
"""

from __future__ import annotations

from typing import Final

import msgspec

from headrace.errors import BadRequest, Mistake, NotFound, TooLarge
from headrace.server.calls import Answer, Call, keys_of
from headrace.server.policy import SecretKey
from headrace.server.routes import Param, Route
from headrace.wire import http, jsontext
from headrace.wire.tokenviews import TOKEN_ORDER, StreamTokenCreated, StreamTokenOrder

_encode: Final = msgspec.json.Encoder().encode
_order: Final = msgspec.json.Decoder(StreamTokenOrder).decode


async def token_of_stream(call: Call) -> Answer:
    """Make a token that shows the next message of an input stream."""
    try:
        order = _order(jsontext.check(await call.body(TOKEN_ORDER)))
    except msgspec.ValidationError as error:
        raise BadRequest(f"Invalid request body: {error}") from None
    _, request_key = keys_of(call)
    made = await call.api.token_of_stream(call.params["run"], order, request_key=request_key)
    return Answer(_encode(made))


ROUTES: Final = [
    Route(
        method="POST",
        path="/api/v1/runs/{run}/input-streams/wait",
        policy=SecretKey("write", "waitpoints", needs=(("read", "runs"),)),
        handler=token_of_stream,
        summary="Make a token that shows the next message of an input stream, without taking it.",
        takes=StreamTokenOrder,
        gives=StreamTokenCreated,
        errors=(NotFound, BadRequest, TooLarge, Mistake),
        params=(Param(http.REQUEST_KEY, "header", "one per call, the same on its retries"),),
    ),
]
