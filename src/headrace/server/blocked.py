"""Routes about blocked runs: try again, begin again, accept the difference.

Owns: how their requests read. Must never know: journals.
"""

from __future__ import annotations

from typing import Final

import msgspec

from headrace.errors import BadRequest, Mistake, NotFound, TooLarge
from headrace.server.bodies import read_as
from headrace.server.calls import Answer, Call
from headrace.server.policy import SecretKey
from headrace.server.routes import Route
from headrace.wire.views import Acceptance, RunView

BODY: Final = 1_048_576
_encode: Final = msgspec.json.Encoder().encode


async def unblock(call: Call) -> Answer:
    """Have a blocked run replayed once more."""
    return Answer(_encode(await call.api.unblock(call.params["run"])))


async def restart(call: Call) -> Answer:
    """Have a blocked run begin again from the top."""
    return Answer(_encode(await call.api.restart(call.params["run"])))


async def accept(call: Call) -> Answer:
    """Have a blocked run replayed with differences that are accepted."""
    acceptance = read_as(Acceptance, await call.body(BODY))
    return Answer(_encode(await call.api.accept(call.params["run"], acceptance)))


ROUTES: Final = [
    Route(
        method="POST",
        path="/api/headrace/v1/runs/{run}/unblock",
        policy=SecretKey("write", "runs"),
        handler=unblock,
        summary="Have a blocked run replayed once more.",
        gives=RunView,
        errors=(NotFound, Mistake),
    ),
    Route(
        method="POST",
        path="/api/headrace/v1/runs/{run}/restart",
        policy=SecretKey("write", "runs"),
        handler=restart,
        summary="Have a blocked run begin again from the top; all that it remembers is forgotten.",
        gives=RunView,
        errors=(NotFound, Mistake),
    ),
    Route(
        method="POST",
        path="/api/headrace/v1/runs/{run}/accept",
        policy=SecretKey("write", "runs"),
        handler=accept,
        summary="Have a blocked run replayed although its code and its journal differ.",
        takes=Acceptance,
        gives=RunView,
        errors=(NotFound, BadRequest, TooLarge, Mistake),
    ),
]
