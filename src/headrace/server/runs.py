"""Routes about runs: start, see, list, stop.

Owns: how their requests read and their answers look. Must never know: what a trigger does.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import GenericAlias
from typing import Final, Literal

import msgspec
from msgspec import UNSET, structs

from headrace.errors import (
    BadRequest,
    BadValue,
    Mistake,
    NotFound,
    TooLarge,
)
from headrace.server.calls import Answer, Call, Events, keys_of
from headrace.server.policy import AnyKey, ListsRuns, OfRun, Scoped, SecretKey
from headrace.server.queries import PARAMS, query_of
from headrace.server.routes import Param, Route
from headrace.server.shown import SHOWN, spoken
from headrace.wire import http, jsontext
from headrace.wire.views import (
    Large,
    Pagination,
    RunView,
    Triggered,
    TriggerOrder,
    Wire,
)

_ENVELOPE: Final = 2
"""Levels that the body of a trigger puts around its metadata."""
_order: Final = msgspec.json.Decoder(TriggerOrder).decode
_encode: Final = msgspec.json.Encoder().encode


class _Env(Wire, frozen=True, kw_only=True):
    id: str
    name: str


class _Item(RunView, frozen=True, kw_only=True):
    env: _Env


class _Page(Wire, frozen=True, kw_only=True):
    data: list[_Item]
    pagination: Pagination


_ITEM: Final = msgspec.defstruct(
    "RunOfList", [("env", _Env)], bases=(SHOWN,), frozen=True, kw_only=True, rename="camel"
)
_PAGE: Final = msgspec.defstruct(
    "RunList",
    [("data", GenericAlias(list, _ITEM)), ("pagination", Pagination)],
    frozen=True,
    kw_only=True,
)


class _Ref(Wire, frozen=True, kw_only=True):
    id: str


class _Realtime(Wire, frozen=True, kw_only=True):
    skip_columns: list[str]


class _Claims(Wire, frozen=True, kw_only=True):
    sub: str
    pub: bool
    realtime: _Realtime | msgspec.UnsetType = UNSET


class _Fault(Wire, frozen=True, kw_only=True):
    type: Literal["BUILT_IN_ERROR", "INTERNAL_ERROR"]
    name: str | msgspec.UnsetType = UNSET
    code: str | msgspec.UnsetType = UNSET
    message: str = ""
    stack_trace: str = ""


class _Result(Wire, frozen=True, kw_only=True, omit_defaults=False):
    ok: bool
    id: str
    task_identifier: str
    output: str | msgspec.UnsetType = UNSET
    output_type: str | msgspec.UnsetType = UNSET
    error: _Fault | msgspec.UnsetType = UNSET


async def trigger(call: Call) -> Answer:
    """Start a run."""
    order = _read(await call.body(http.TRIGGER_BODY), call)
    _, request_key = keys_of(call)
    triggered = await call.api.trigger(call.params["task"], order, request_key=request_key)
    headers = {http.CLAIMS: _encode(_claims(call)).decode()}
    if triggered.public_token:
        headers[http.TOKEN] = triggered.public_token
    return Answer(_encode(structs.replace(triggered, public_token="")), headers=headers)


def _claims(call: Call) -> _Claims:
    """Return what a token must claim that the caller signs for the run."""
    token = None if call.caller is None else call.caller.token
    claimed = _Claims(sub=call.env, pub=True)
    if token is None or token.skip_columns is None:
        return claimed
    return structs.replace(claimed, realtime=_Realtime(skip_columns=list(token.skip_columns)))


def _read(body: bytes, call: Call) -> TriggerOrder:
    """Read the order strictly; a header says the idempotency key with more weight than the body."""
    try:
        order = _order(jsontext.parse(body, depth=jsontext.MAX_DEPTH + _ENVELOPE)[1])
    except msgspec.ValidationError as error:
        # The contract says so of all that is wrong with a debounce.
        kind = Mistake if "$.options.debounce" in str(error) else BadRequest
        raise kind(f"Invalid request body: {error}") from None
    options = order.options
    key, _ = keys_of(call)
    if key:
        options = structs.replace(options, idempotency_key=key)
    if ttl := call.header("idempotency-key-ttl"):
        options = structs.replace(options, idempotency_key_ttl=ttl)
    return order if options is order.options else structs.replace(order, options=options)


async def cancel(call: Call) -> Answer:
    """Ask a run to stop; one that has ended stays as it is."""
    view = await call.api.cancel(call.params["run"])
    return Answer(_encode(_Ref(id=view.id)))


async def list_runs(call: Call) -> Answer:
    """List runs, newest first."""
    page = await call.api.list_runs(query_of(call))
    env = _Env(id=call.env, name=call.env)
    items = [_Item(**structs.asdict(spoken(call, view)), env=env) for view in page.data]
    return Answer(_encode(_Page(data=items, pagination=page.pagination)))


async def result(call: Call) -> Answer:
    """Say how a run ended; not found until it has."""
    view = await call.api.retrieve(call.params["run"])
    if not view.is_completed:
        raise NotFound(f"run {view.id} has not ended")
    ended = _Result(ok=view.is_success, id=view.id, task_identifier=view.task_identifier)
    if not view.is_success:
        return Answer(_encode(structs.replace(ended, error=_fault(view))))
    outputs: tuple[Large, ...] = ("output",) if "output" in view.large else ()
    view = await call.api.whole(structs.replace(view, large=outputs))
    output = UNSET if isinstance(view.output, msgspec.UnsetType) else bytes(view.output).decode()
    return Answer(_encode(structs.replace(ended, output=output, output_type="application/json")))


_CODES: Final = {
    "CANCELED": "TASK_RUN_CANCELLED",
    "CRASHED": "TASK_RUN_CRASHED",
    "TIMED_OUT": "MAX_DURATION_EXCEEDED",
}


def _fault(view: RunView) -> _Fault:
    error = None if isinstance(view.error, msgspec.UnsetType) else view.error
    message = error.message if error else f"the run is {view.status}"
    if view.status != "FAILED":
        code = _CODES.get(view.status, "UNSPECIFIED_ERROR")
        return _Fault(type="INTERNAL_ERROR", code=code, message=message)
    name = error.name if error and error.name else "Error"
    trace = error.stack_trace if error and error.stack_trace else ""
    return _Fault(type="BUILT_IN_ERROR", name=name, message=message, stack_trace=trace)


async def follow(call: Call) -> Events:
    """Show a run now and after every change, until it is final."""
    run = call.params["run"]
    await call.api.retrieve(run)

    async def views() -> AsyncGenerator[bytes]:
        async with aclosing(call.api.subscribe(run)) as found:
            async for view in found:
                yield b"event: run\ndata: " + _encode(view) + b"\n\n"

    return Events(views(), b"".join)


async def claims(call: Call) -> Answer:
    """Say what a token of this environment must claim, for clients that sign their own."""
    return Answer(_encode(_Claims(sub=call.env, pub=True)))


_KEY: Final = Param("idempotency-key", "header", "the same key again gives the same run")
_RETRY: Final = Param(http.REQUEST_KEY, "header", "one per call, the same on its retries")
_VERSION: Final = Param(http.API_VERSION, "header", "which names statuses have")

ROUTES: Final = [
    Route(
        method="POST",
        path="/api/v1/tasks/{task}/trigger",
        policy=Scoped("trigger", "tasks", "task"),
        handler=trigger,
        repeats=True,
        summary="Start a run of a task.",
        takes=TriggerOrder,
        gives=Triggered,
        errors=(NotFound, BadRequest, TooLarge, BadValue),
        params=(_KEY, Param("idempotency-key-ttl", "header", "how long it is kept"), _RETRY),
    ),
    Route(
        method="GET",
        path="/api/v1/runs",
        policy=ListsRuns(),
        handler=list_runs,
        summary="List runs, newest first.",
        gives=_PAGE,
        errors=(BadRequest,),
        params=(*PARAMS, _VERSION),
    ),
    Route(
        method="POST",
        path="/api/v2/runs/{run}/cancel",
        policy=OfRun("write", tags=False),
        handler=cancel,
        summary="Ask a run to stop.",
        gives=_Ref,
        errors=(NotFound,),
    ),
    Route(
        method="GET",
        path="/api/v1/runs/{run}/result",
        policy=SecretKey("read", "runs"),
        handler=result,
        summary="Say how a run ended; not found until it has.",
        gives=_Result,
        errors=(NotFound,),
    ),
    Route(
        method="GET",
        path="/api/headrace/v1/runs/{run}/events",
        policy=OfRun("read"),
        handler=follow,
        summary="Follow a run until it is final: an event `run` now and after every change.",
        kind="events",
        event="run",
        gives=RunView,
        errors=(NotFound,),
    ),
    Route(
        method="POST",
        path="/api/v1/auth/jwt/claims",
        policy=AnyKey(),
        handler=claims,
        summary="Say what a public token of this environment must claim.",
        gives=_Claims,
    ),
]
