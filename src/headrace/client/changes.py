"""The `ChangesApi` over HTTP."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from headrace.client.transport import Answer, Call, Transport
from headrace.wire.changes import (
    Amendment,
    Described,
    FreeingKey,
    ReplayOrder,
    Rescheduling,
    Tagging,
)
from headrace.wire.views import RunView, Triggered


class ChangesClient:
    """Change what is known of runs of a server elsewhere."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    async def replay(self, run_id: str, order: ReplayOrder, *, request_key: str = "") -> Triggered:
        """Start another run with what this one was started with, but for what `order` says."""
        call = Call("POST", _path(run_id, "replay"), _body(order), request_key=request_key)
        return (await self._http.call(call)).parse(Triggered)

    async def reschedule(self, run_id: str, delay: str | float) -> RunView:
        """Have a delayed run begin at another time."""
        answer = await self._post(_path(run_id, "reschedule"), Rescheduling(delay=delay))
        return answer.parse(RunView)

    async def tag(self, run_id: str, tags: tuple[str, ...]) -> tuple[str, ...]:
        """Add tags to the run, all or none; return those that it has now."""
        await self._post(_path(run_id, "tags"), Tagging(tags=list(tags)))
        answer = await self._http.call(Call("GET", f"/api/v3/runs/{quote(run_id, safe='')}"))
        return tuple(answer.parse(RunView).tags)

    async def metadata(self, run_id: str) -> bytes:
        """Return the run's metadata: a JSON object."""
        answer = await self._http.call(Call("GET", _path(run_id, "metadata")))
        return bytes(answer.parse(Described).metadata)

    async def amend(self, run_id: str, amendment: Amendment, *, request_key: str = "") -> bytes:
        """Change the metadata of the run, its parent and its root; return that of the run."""
        path = _path(run_id, "metadata")
        answer = await self._http.call(Call("PUT", path, _body(amendment), request_key=request_key))
        return bytes(answer.parse(Described).metadata)

    async def free_key(self, task: str, key: str) -> None:
        """Let an idempotency key of `task` be used again."""
        path = f"/api/v1/idempotencyKeys/{quote(key, safe='')}/reset"
        await self._post(path, FreeingKey(task_identifier=task))

    async def _post(self, path: str, asked: msgspec.Struct) -> Answer:
        return await self._http.call(Call("POST", path, _body(asked)))


def _path(run_id: str, verb: str) -> str:
    return f"/api/v1/runs/{quote(run_id, safe='')}/{verb}"


def _body(asked: msgspec.Struct) -> bytes:
    return msgspec.json.encode(asked)
