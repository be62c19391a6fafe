"""The `RunsApi` over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final
from urllib.parse import quote

import msgspec

from headrace.client.following import FIRST_S, Following
from headrace.client.packets import PacketsClient, named, offloaded
from headrace.client.transport import Call, Transport
from headrace.wire import http
from headrace.wire.packets import INLINE, STORE
from headrace.wire.views import RunPage, RunQuery, RunView, Triggered, TriggerOrder

_view: Final = msgspec.json.Decoder(RunView).decode


class RunsClient:
    """Start, see and stop runs of a server elsewhere."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    async def trigger(self, task: str, order: TriggerOrder, *, request_key: str = "") -> Triggered:
        """Start a run of `task`; a large payload is uploaded before."""
        order = _without_nothing(order)
        payload = bytes(order.payload)
        if len(payload) > INLINE and not order.options.payload_type:
            order = await self._offloaded(order, payload)
        path = f"/api/v1/tasks/{_segment(task)}/trigger"
        call = Call("POST", path, msgspec.json.encode(order), request_key=request_key)
        answer = await self._http.call(call)
        triggered = answer.parse(Triggered)
        token = answer.headers.get(http.TOKEN, "")
        return msgspec.structs.replace(triggered, public_token=token)

    async def _offloaded(self, order: TriggerOrder, payload: bytes) -> TriggerOrder:
        path, packet = offloaded(self._http.new_key(), payload)
        await PacketsClient(self._http).upload(path, packet)
        replace = msgspec.structs.replace
        options = replace(order.options, payload_type=STORE)
        return replace(order, payload=named(path), options=options)

    async def retrieve(self, run_id: str) -> RunView:
        """Return the run."""
        answer = await self._http.call(Call("GET", f"/api/v3/runs/{_segment(run_id)}"))
        return answer.parse(RunView)

    async def list_runs(self, query: RunQuery) -> RunPage:
        """List runs, newest first."""
        answer = await self._http.call(Call("GET", "/api/v1/runs", query=_query(query)))
        return answer.parse(RunPage)

    async def cancel(self, run_id: str) -> RunView:
        """Ask the run to stop."""
        await self._http.call(Call("POST", f"/api/v2/runs/{_segment(run_id)}/cancel"))
        return await self.retrieve(run_id)

    async def subscribe(self, run_id: str) -> AsyncGenerator[RunView]:
        """Yield the run now and after every change, until it is final."""
        call = Call("GET", f"/api/headrace/v1/runs/{_segment(run_id)}/events")
        last: RunView | None = None
        while last is None or not last.is_completed:
            async with aclosing(Following(self._http, lambda: call).events()) as events:
                async for event in events:
                    view = _view(event.data) if event.name == "run" else last
                    if view is not None and view != last:
                        last = view
                        yield view
            if last is None or not last.is_completed:
                await asyncio.sleep(FIRST_S)


def _without_nothing(order: TriggerOrder) -> TriggerOrder:
    """Leave out what is empty: it would be no JSON. Only the very default is left out by itself."""
    replace, nothing = msgspec.structs.replace, TriggerOrder()
    if not bytes(order.payload):
        order = replace(order, payload=nothing.payload)
    if not bytes(order.options.metadata):
        options = replace(order.options, metadata=nothing.options.metadata)
        order = replace(order, options=options)
    return order


def _segment(text: str) -> str:
    return quote(text, safe="")


def _query(query: RunQuery) -> dict[str, str]:
    parts = {
        "page[size]": str(query.size),
        "page[after]": query.after or "",
        "page[before]": query.before or "",
        "filter[status]": ",".join(query.status),
        "filter[taskIdentifier]": ",".join(query.task),
        "filter[tag]": ",".join(query.tag),
        "filter[version]": ",".join(query.version),
        "filter[isTest]": "" if query.test is None else str(query.test).lower(),
        "filter[createdAt][from]": "" if query.since is None else str(query.since),
        "filter[createdAt][to]": "" if query.until is None else str(query.until),
        "filter[createdAt][period]": _seconds(query.within_ms),
        "filter[batch]": "none" if query.nothing else "",
    }
    return {name: value for name, value in parts.items() if value}


def _seconds(ms: int | None) -> str:
    return "" if ms is None else f"{-(-ms // 1_000)}s"
