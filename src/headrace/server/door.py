"""The front door: an ASGI app that knows every route.

Owns: which route a request is for, the order (caller, policy, handler), and that whatever happens
is answered. Send and trigger are found by splitting the path, for speed, and so is what thousands
hold open, since each frame around it costs them memory; starlette finds the rest.
Must never know: what a handler does, or which server runs the app.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Final, Protocol
from urllib.parse import unquote

import msgspec
import structlog
from starlette.responses import Response
from starlette.routing import BaseRoute, Route as At, Router, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from headrace.errors import HeadraceError, Mistake, NotFound
from headrace.ports import Chance, Clock, Credentials, Keys
from headrace.server import (
    blocked,
    changes,
    feeds,
    history,
    keys,
    outputs,
    runs,
    streams,
    streamtokens,
    tokens,
    work,
)
from headrace.server.calls import Answer, Apis, Call, Caller, Gone, Reply
from headrace.server.openapi import Health, document
from headrace.server.packets import Parcels
from headrace.server.policy import Anybody, Gate
from headrace.server.rates import COUNTED, Meter, Rates
from headrace.server.replies import (
    deliver,
    failure,
    not_allowed,
    preflight,
    refusal,
    with_headers,
)
from headrace.server.retrieving import Retrieving
from headrace.server.routes import Route, guarded
from headrace.server.signatures import Signatures
from headrace.server.uses import Turnstile
from headrace.wire import http

NO_LIMITS: Final = Rates()
Ready = Callable[[], Awaitable[bool]]
VERSION: Final = version("headrace")
_SEND: Final = "/realtime/v1/streams/{run}/input/{stream}"
_TRIGGER: Final = "/api/v1/tasks/{task}/trigger"
_RUNS: Final = "/realtime/v1/runs"
_RUN: Final = "/realtime/v1/runs/{run}"
_STREAM: Final = "/realtime/v1/streams/{run}/{stream}"
_ELSEWHERE: Final = (
    "these routes are for tasks in JavaScript, which wait by them; tasks here are in Python, and no"
    " run can be made to wait from outside"
)
_FIXED: Final = (
    *runs.ROUTES,
    *changes.ROUTES,
    *history.ROUTES,
    *blocked.ROUTES,
    *feeds.ROUTES,
    *keys.ROUTES,
    *streams.ROUTES,
    *outputs.ROUTES,
    *tokens.ROUTES,
    *streamtokens.ROUTES,
    *work.ROUTES,
)
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.server")


class Ring(Keys, Protocol):
    """The keys that hold, and where the uses of tokens are counted."""

    @property
    def store(self) -> Credentials:
        """Return the store."""
        ...


class Door:
    """The app. `ready` tells whether this process takes requests."""

    def __init__(
        self,
        apis: Apis,
        ring: Ring,
        *,
        clock: Clock,
        chance: Chance,
        ready: Ready,
        rates: Rates = NO_LIMITS,
    ) -> None:
        self._apis, self._clock, self._chance, self._ready = apis, clock, chance, ready
        self._gate, self._meter = Gate(ring, clock), Meter(rates)
        self._turnstile = Turnstile(ring.store, clock, chance)
        signatures = Signatures(ring)
        self.routes: Sequence[Route] = guarded(
            [
                *_FIXED,
                *Retrieving(signatures).routes(),
                *Parcels(signatures).routes(),
                *self._own(),
            ]
        )
        posts = {route.path: route for route in self.routes if route.method == "POST"}
        gets = {route.path: route for route in self.routes if route.method == "GET"}
        policies = {route.path: route.policy for route in self.routes if route.policy}
        self._send, self._trigger = posts[_SEND], posts[_TRIGGER]
        self._follow, self._follow_tags = gets[_RUN], gets[_RUNS]
        self._read, self._tail = gets[_STREAM], gets[_SEND]
        self._workers = policies[work.WORKER]
        self._document = document(self.routes, VERSION)
        self._router = Router(_places(self), redirect_slashes=False, default=_nowhere)

    def _own(self) -> list[Route]:
        return [
            Route(
                method="GET",
                path="/health",
                policy=Anybody(),
                handler=self._health,
                summary="200 while this process takes requests, else 503; asks no database.",
                gives=Health,
                others={503: "it ends, or is `dev` without a worker yet"},
            ),
            Route(
                method="GET",
                path="/openapi.json",
                policy=Anybody(),
                handler=self._openapi,
                summary="This contract, for programs.",
                gives=dict[str, msgspec.Raw],
            ),
        ]

    async def _health(self, _: Call) -> Answer:
        return Answer(b'{"ok":true}') if await self._ready() else Answer(b'{"ok":false}', 503)

    async def _openapi(self, _: Call) -> Answer:
        return Answer(self._document)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one WebSocket."""
        if scope["type"] == "http" and (found := self._found(scope)) is not None:
            return await self.answer(*found, scope, receive, send)
        # What is percent-encoded stays so until the path is taken apart: an id may hold a slash.
        scope["path"] = scope["raw_path"].decode("latin-1")
        return await self._router(scope, receive, send)

    def _found(self, scope: Scope) -> tuple[Route, Mapping[str, str]] | None:
        """Return the route and its parameters, if it is one of those that are in a hurry."""
        match scope["method"], *scope["raw_path"].split(b"/"):
            case "POST", b"", b"realtime", b"v1", b"streams", run, b"input", stream:
                found, named = self._send, {"run": run, "stream": stream}
            case "POST", b"", b"api", b"v1", b"tasks", task, b"trigger":
                found, named = self._trigger, {"task": task}
            case "GET", b"", b"realtime", b"v1", b"runs":
                found, named = self._follow_tags, dict[str, bytes]()
            case "GET", b"", b"realtime", b"v1", b"runs", run:
                found, named = self._follow, {"run": run}
            case "GET", b"", b"realtime", b"v1", b"streams", run, stream:
                found, named = self._read, {"run": run, "stream": stream}
            case "GET", b"", b"realtime", b"v1", b"streams", run, b"input", stream:
                found, named = self._tail, {"run": run, "stream": stream}
            case _:
                return None
        # An empty segment is no name.
        params = {name: _text(raw) for name, raw in named.items()}
        return (found, params) if all(named.values()) else None

    async def answer(
        self, route: Route, params: Mapping[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Let the route answer, if its caller may ask."""
        now = self._clock.now()
        call = Call(scope, receive, dict(scope["headers"]), params, self._apis, now)
        reply = await self._reply(route, call)
        try:
            if reply is not None:
                await deliver(reply, scope, receive, send)
        except HeadraceError as error:
            _log.warning("a stream broke", route=route.name, code=error.code, error=error.message)
            raise  # it has begun: all that can be done is to break it
        except Exception as error:
            self._failed(route, call, error)
            raise

    async def _reply(self, route: Route, call: Call) -> Reply | None:
        told: dict[str, str] = {}
        reply = await self._answered(route, call, told)
        return reply and with_headers(reply, told)

    async def _answered(self, route: Route, call: Call, told: dict[str, str]) -> Reply | None:
        try:
            if route.policy is None:
                raise TypeError(f"{route.name} has no policy")
            if not route.policy.open:
                call.caller = self._gate.caller(call.headers)
                self._count(call.caller, call, told)
            await route.policy.admit(call)
            if call.caller and call.caller.token and call.caller.token.uses:
                return await self._turnstile.through(route, call, call.caller.token)
            return await route.handler(call)
        except Gone:
            return None
        except HeadraceError as error:
            if error.code in http.STATUS:
                return refusal(error)
            return failure(self._failed(route, call, error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            return failure(self._failed(route, call, error))

    def _count(self, caller: Caller, call: Call, told: dict[str, str]) -> None:
        """Count the request if it is one of those that are limited, and say what is left."""
        if not call.scope["raw_path"].startswith(COUNTED):
            return
        now = self._clock.now()
        allowance = self._meter.count(caller, now)
        if allowance is not None:
            told |= allowance.headers
            allowance.check(now)

    def _failed(self, route: Route, call: Call, error: Exception) -> str:
        """Log what nobody expected, and return the name under which it is found again."""
        request_id = self._chance.unique(8).hex()
        trace = "".join(traceback.format_exception(error))
        secret = call.header(http.AUTHORIZATION).rpartition(" ")[2]
        if secret:
            trace = trace.replace(secret, "***")
        _log.error("a request failed", route=route.name, request_id=request_id, trace=trace)
        return request_id

    async def worker(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a worker over a WebSocket, if it has a secret key."""
        socket = WebSocket(scope, receive, send)
        try:
            caller = self._gate.caller(dict(scope["headers"]))
            now = self._clock.now()
            await self._workers.admit(Call(scope, receive, {}, {}, self._apis, now, caller))
        except Mistake as error:
            said = refusal(error)
            await socket.send_denial_response(Response(said.body, said.status, said.headers))
            return
        await work.serve_worker(socket, self._apis.at(caller.env))


class _Place:
    """All methods of one path."""

    def __init__(self, door: Door, routes: Mapping[str, Route]) -> None:
        self._door, self._routes = door, routes
        read = ["GET", "HEAD"] if "GET" in routes else []
        self._allow = ", ".join(dict.fromkeys([*read, *routes, "OPTIONS"]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        route = self._routes.get(method)
        if route is None and method == "HEAD":
            route = self._routes.get("GET")
        if route is None:
            reply = preflight(scope) if method == "OPTIONS" else not_allowed(method, self._allow)
            return await deliver(reply, scope, receive, send)
        params = {name: unquote(text) for name, text in scope["path_params"].items()}
        return await self._door.answer(route, params, scope, receive, send)


class _Socket:
    """The worker channel's path, as a WebSocket."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._door.worker(scope, receive, send)


def _places(door: Door) -> list[BaseRoute]:
    """Give every path its place; starlette takes an instance as an app that sees every method."""
    paths: dict[str, dict[str, Route]] = {}
    for route in door.routes:
        paths.setdefault(route.path, {})[route.method] = route
    places: list[BaseRoute] = [WebSocketRoute(work.WORKER, _Socket(door))]
    deep = {route.path for route in door.routes if route.deep}
    for path, routes in paths.items():
        pattern = f"{path.removesuffix('}')}:path}}" if path in deep else path
        places.append(At(pattern, _Place(door, routes)))
    return places


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    known = "GET /openapi.json lists the routes"
    hint = _ELSEWHERE if scope["path"].startswith("/engine/") else known
    error = refusal(NotFound("Not found", hint=hint))
    if scope["type"] == "websocket":
        socket = WebSocket(scope, receive, send)
        await socket.send_denial_response(Response(error.body, error.status, error.headers))
    elif scope["method"] == "OPTIONS":
        # A preflight that fails would hide the answer itself from a browser's page.
        await deliver(preflight(scope), scope, receive, send)
    else:
        await deliver(error, scope, receive, send)


def _text(segment: bytes) -> str:
    text = segment.decode("latin-1")
    return unquote(text) if "%" in text else text
