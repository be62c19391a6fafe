"""Routes that change what is known of a run, and the one that frees idempotency keys.

Owns: how their requests read and their answers look. Must never know: what a change does.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from headrace.errors import BadRequest, BadValue, Mistake, NotFound, TooLarge
from headrace.server.bodies import read_as
from headrace.server.calls import Answer, Call, keys_of
from headrace.server.policy import OfKind, SecretKey
from headrace.server.routes import Param, Route
from headrace.server.shown import SHOWN, shown
from headrace.wire import http
from headrace.wire.changes import (
    Amendment,
    Described,
    FreedKey,
    FreeingKey,
    ReplayOrder,
    Rescheduling,
    Said,
    Tagging,
)
from headrace.wire.views import Triggered

METADATA_BODY: Final = 2 * 1_048_576
"""The most bytes of a body that changes metadata."""
BODY: Final = 16_384
_ENVELOPE: Final = 4
"""Levels that a body puts around the values in it."""
_encode: Final = msgspec.json.Encoder().encode
_RETRY: Final = Param(http.REQUEST_KEY, "header", "one per call, the same on its retries")


async def replay(call: Call) -> Answer:
    """Start another run with what this one was started with."""
    raw = await call.body(http.TRIGGER_BODY)
    order = read_as(ReplayOrder, raw, levels=_ENVELOPE) if raw.strip() else ReplayOrder()
    key, request_key = keys_of(call)
    if key:
        order = msgspec.structs.replace(order, idempotency_key=key)
    started = await call.api.replay(call.params["run"], order, request_key=request_key)
    return Answer(_encode(started))


async def reschedule(call: Call) -> Answer:
    """Have a delayed run begin at another time."""
    asked = read_as(Rescheduling, await call.body(BODY), levels=_ENVELOPE)
    return Answer(shown(call, await call.api.reschedule(call.params["run"], asked.delay)))


async def add_tags(call: Call) -> Answer:
    """Add tags to a run: all of them, or none."""
    given = read_as(Tagging, await call.body(BODY), levels=_ENVELOPE).tags
    tags = await call.api.tag(
        call.params["run"], (given,) if isinstance(given, str) else tuple(given)
    )
    return Answer(_encode(Said(message=f"The run has {len(tags)} tags.")))


async def read_metadata(call: Call) -> Answer:
    """Show a run's metadata."""
    found = await call.api.metadata(call.params["run"])
    return Answer(_encode(Described(metadata=Raw(found), metadata_type="application/json")))


async def amend_metadata(call: Call) -> Answer:
    """Change the metadata of a run, its parent and its root."""
    amendment = read_as(Amendment, await call.body(METADATA_BODY), levels=_ENVELOPE)
    _, request_key = keys_of(call)
    found = await call.api.amend(call.params["run"], amendment, request_key=request_key)
    return Answer(_encode(Described(metadata=Raw(found))))


async def free_key(call: Call) -> Answer:
    """Let an idempotency key be used again."""
    asked = read_as(FreeingKey, await call.body(BODY), levels=_ENVELOPE)
    await call.api.free_key(asked.task_identifier, call.params["key"])
    return Answer(_encode(FreedKey(id=call.params["key"])))


ROUTES: Final = [
    Route(
        method="POST",
        path="/api/v1/runs/{run}/replay",
        policy=SecretKey("write", "runs"),
        handler=replay,
        summary="Start another run with what this one was started with, but for what is said.",
        takes=ReplayOrder,
        optional=True,
        gives=Triggered,
        errors=(NotFound, BadRequest, TooLarge, BadValue),
        params=(
            Param("idempotency-key", "header", "the same key again gives the same run"),
            _RETRY,
        ),
    ),
    Route(
        method="POST",
        path="/api/v1/runs/{run}/reschedule",
        policy=SecretKey("write", "runs"),
        handler=reschedule,
        summary="Have a delayed run begin at another time.",
        takes=Rescheduling,
        gives=SHOWN,
        errors=(NotFound, BadRequest, TooLarge),
        params=(Param(http.API_VERSION, "header", "which names statuses have"),),
    ),
    Route(
        method="POST",
        path="/api/v1/runs/{run}/tags",
        policy=SecretKey("write", "runs"),
        handler=add_tags,
        summary="Add tags to a run: all of them, or none.",
        takes=Tagging,
        gives=Said,
        errors=(NotFound, BadRequest, TooLarge, Mistake),
    ),
    Route(
        method="GET",
        path="/api/v1/runs/{run}/metadata",
        policy=SecretKey("read", "runs"),
        handler=read_metadata,
        summary="Show a run's metadata.",
        gives=Described,
        errors=(NotFound,),
    ),
    Route(
        method="PUT",
        path="/api/v1/runs/{run}/metadata",
        policy=SecretKey("write", "runs"),
        handler=amend_metadata,
        summary="Change the metadata of a run, its parent and its root.",
        takes=Amendment,
        gives=Described,
        errors=(NotFound, BadRequest, TooLarge, Mistake),
        params=(_RETRY,),
    ),
    Route(
        method="POST",
        path="/api/v1/idempotencyKeys/{key}/reset",
        policy=OfKind("write", "runs"),
        handler=free_key,
        summary="Let an idempotency key be used again.",
        takes=FreeingKey,
        gives=FreedKey,
        errors=(NotFound, BadRequest, TooLarge),
    ),
]
