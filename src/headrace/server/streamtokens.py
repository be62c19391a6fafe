"""The route that makes tokens of streams, for clients outside of tasks.

Owns: how its requests read.
Must never know: how such a token stands.
"""

from __future__ import annotations

from typing import Final

import msgspec

from headrace.errors import BadRequest, Mistake, NotFound, TooLarge
from headrace.server.bodies import read_as
from headrace.server.calls import Answer, Call, keys_of
from headrace.server.policy import SecretKey
from headrace.server.routes import Param, Route
from headrace.wire import http
from headrace.wire.tokenviews import TOKEN_ORDER, StreamTokenCreated, StreamTokenOrder

_encode: Final = msgspec.json.Encoder().encode


async def token_of_stream(call: Call) -> Answer:
    """Make a token that shows the next message of an input stream."""
    order = read_as(StreamTokenOrder, await call.body(TOKEN_ORDER))
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
