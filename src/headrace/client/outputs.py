"""The `OutputsApi` over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from headrace.client.transport import Call, Transport
from headrace.ports import Target
from headrace.wire import http


class OutputsClient:
    """Write to output streams of a server elsewhere."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    async def write(
        self,
        run_id: str,
        stream: str,
        values: Sequence[bytes],
        *,
        writer: str = "",
        first: int = 0,
        target: Target = "self",
    ) -> None:
        """Append the values that are not there yet; without any, only check."""
        path = _path(run_id, stream, target)
        if not values:
            await self._http.call(Call("PUT", path))
            return
        headers = {http.CLIENT_ID: writer, http.RESUME_FROM: str(first)} if writer else {}
        await self._http.call(Call("POST", path, b"\n".join([*values, b""]), headers=headers))

    async def written(
        self, run_id: str, stream: str, *, writer: str, target: Target = "self"
    ) -> int:
        """Count the values of the writer that are there."""
        headers = {http.CLIENT_ID: writer}
        answer = await self._http.call(Call("HEAD", _path(run_id, stream, target), headers=headers))
        return int(answer.headers.get(http.LAST_CHUNK, "-1")) + 1


def _path(run_id: str, stream: str, target: Target) -> str:
    return f"/realtime/v1/streams/{quote(run_id, safe='')}/{target}/{quote(stream, safe='')}"
