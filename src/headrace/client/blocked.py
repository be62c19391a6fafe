"""The `BlockedApi` over HTTP."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from headrace.client.transport import Call, Transport
from headrace.wire.views import Acceptance, RunView


class BlockedClient:
    """Let blocked runs of a server elsewhere go on."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    async def unblock(self, run_id: str) -> RunView:
        """Have the run replayed once more, as it is."""
        return await self._asked(run_id, "unblock")

    async def restart(self, run_id: str) -> RunView:
        """Have the run begin again from the top."""
        return await self._asked(run_id, "restart")

    async def accept(self, run_id: str, acceptance: Acceptance) -> RunView:
        """Have the run replayed with these differences."""
        return await self._asked(run_id, "accept", msgspec.json.encode(acceptance))

    async def _asked(self, run_id: str, verb: str, body: bytes = b"") -> RunView:
        path = f"/api/headrace/v1/runs/{quote(run_id, safe='')}/{verb}"
        return (await self._http.call(Call("POST", path, body))).parse(RunView)
