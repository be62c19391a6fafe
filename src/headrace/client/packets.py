"""The `PacketsApi` over HTTP: by the signed URLs that the server gives.

Must never know: what packets are for.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from headrace.client.transport import Call, Transport
from headrace.ports import Packet
from headrace.wire.views import Large, RunView, Wire, filled


class _Way(Wire, frozen=True, kw_only=True):
    presigned_url: str


class PacketsClient:
    """Upload packets to a server elsewhere, and get them back."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    async def upload(self, key: str, packet: Packet) -> None:
        """Keep the packet for a day under `key`."""
        url = await self._way("PUT", "v2", key)
        headers = {"content-type": packet.kind}
        await self._http.call(Call("PUT", _path(url), packet.body, headers=headers))

    async def download(self, key: str) -> Packet:
        """Return the packet; `NotFound` once it is gone."""
        return await self._at(await self._way("GET", "v1", key))

    async def run_packet(self, run_id: str, name: Large) -> Packet:
        """Return the run's payload or output, however large; `NotFound` where it has none."""
        path = f"/api/v1/runs/{quote(run_id, safe='')}/packets/{name}"
        return await self._at((await self._http.call(Call("GET", path))).parse(_Way).presigned_url)

    async def whole(self, view: RunView) -> RunView:
        """Return the view with what it leaves out because it is large."""
        for name in view.large:
            body = msgspec.Raw((await self.run_packet(view.id, name)).body)
            view = filled(view, name, body)
        return view

    async def _at(self, url: str) -> Packet:
        answer = await self._http.call(Call("GET", _path(url)))
        kind = answer.headers.get("content-type", "").partition(";")[0]
        return Packet(kind, answer.body)

    async def _way(self, method: str, version: str, key: str) -> str:
        path = f"/api/{version}/packets/{quote(key, safe='')}"
        return (await self._http.call(Call(method, path))).parse(_Way).presigned_url


def _path(url: str) -> str:
    """Return what follows the host: the way to the server is known better here than there."""
    return "/" + url.split("://", 1)[-1].partition("/")[2]


def offloaded(key: str, body: bytes) -> tuple[str, Packet]:
    """Return the path and the packet for a payload that is too large to be sent inline."""
    return f"trigger/packet_{key}/payload.json", Packet("application/json", body)


def named(path: str) -> msgspec.Raw:
    """Return the payload that names a packet."""
    return msgspec.Raw(msgspec.json.encode(path))
