"""A fake: what S2 answers on the wire, kept in memory, with every fault that a test asks for.

It follows s2-lite's rules for what Headrace asks (basins, streams, append on a condition, reading,
the tail), over the same HTTP/2 with the same protobuf, so that the real client speaks to it. It
proves what Headrace makes of answers and of their loss; what S2 does is proved on s2-lite itself.
Owns: the rules, and the faults. Must never know: Headrace.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from s2_sdk._generated.s2.v1 import s2_pb2 as pb

from tests.s2.http2 import Answer, Request, serving

WHEN: Final = "2026-01-01T00:00:00Z"
MIB: Final = 1 << 20

Perform = Callable[[], Answer]
Fault = Callable[[Perform], Awaitable[Answer | None]]
"""Answers in the place of S2; no answer is a connection that ends."""


async def ack_lost(perform: Perform) -> Answer | None:
    """Do it, and say nothing."""
    perform()
    return None


async def call_lost(_perform: Perform) -> Answer | None:
    """Do nothing, and say nothing."""
    return None


async def silent(perform: Perform) -> Answer | None:
    """Do it, and leave the caller waiting for an answer."""
    perform()
    await asyncio.Event().wait()
    return None


def failing(status: int, code: str) -> Fault:
    """Do nothing, and say so."""

    async def fault(_perform: Perform) -> Answer | None:
        return refused(status, code)

    return fault


def failing_after(status: int, code: str) -> Fault:
    """Do it, and say that it failed."""

    async def fault(perform: Perform) -> Answer | None:
        perform()
        return refused(status, code)

    return fault


@dataclass(slots=True)
class Late:
    """Arrives when it is told to, however long nobody waits for it any more."""

    came: asyncio.Event = field(default_factory=asyncio.Event)
    arrives: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    answer: Answer | None = None

    async def __call__(self, perform: Perform) -> Answer | None:
        """Do it, late."""
        self.came.set()
        await self.arrives.wait()
        self.answer = perform()
        self.answered.set()
        return self.answer


def refused(status: int, code: str, message: str = "so it is") -> Answer:
    """Return an error as S2 gives it."""
    return Answer(status, msgspec.json.encode({"code": code, "message": message}))


@dataclass(slots=True)
class _Basin:
    config: dict[str, object]
    streams: dict[str, list[pb.SequencedRecord]] = field(
        default_factory=dict[str, list[pb.SequencedRecord]]
    )


class StandIn:
    """One fake S2. What it keeps outlives its servers."""

    def __init__(self) -> None:
        self.basins: dict[str, _Basin] = {}
        self.requests: list[str] = []
        """What was asked, as `append`, `read` and so on."""
        self.tokens: set[str] = set()
        self._faults: list[tuple[str, Fault | None]] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Return where it is."""
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        """Answer while the block lasts, on the same port whenever it does."""
        async with serving(self._answered, self.port) as self.port:
            yield

    def fail_next(self, what: str, *faults: Fault | None) -> None:
        """Answer the next requests of this kind in these ways; `None` is S2's own."""
        self._faults += [(what, fault) for fault in faults]

    def make(self, basin: str, config: dict[str, object]) -> None:
        """Have a basin already."""
        self.basins[basin] = _Basin(config)

    def heal(self) -> None:
        """Be as S2 is from now on."""
        self._faults.clear()

    def records(self, name: str) -> list[pb.SequencedRecord]:
        """Return what a stream holds."""
        return next(basin.streams.get(name, []) for basin in self.basins.values())

    async def _answered(self, request: Request) -> Answer | None:
        what, perform = self._understood(request)
        self.requests.append(what)
        self.tokens.add(request.headers.get("authorization", ""))
        for index, (wanted, fault) in enumerate(self._faults):
            if wanted == what:
                del self._faults[index]
                return perform() if fault is None else await fault(perform)
        return perform()

    def _understood(self, request: Request) -> tuple[str, Perform]:
        parts = urlsplit(request.path)
        path = [unquote(part) for part in parts.path.split("/")[2:]]
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        basin, method = request.headers.get("s2-basin", ""), request.method
        match method, path:
            case _, ["basins", *rest]:
                return f"{method} basin", lambda: self._configure(method, rest, request.body)
            case "GET", ["streams"]:
                return "list", lambda: self._list(basin, asked)
            case "DELETE", ["streams", name]:
                return "delete", lambda: self._delete(basin, name)
            case "POST", ["streams", name, "records"]:
                return "append", lambda: self._append(basin, name, request.body)
            case "GET", ["streams", name, "records"]:
                return "read", lambda: self._read(basin, name, asked)
            case _:
                return "unknown", lambda: refused(404, "no_such_route", request.path)

    def _configure(self, method: str, path: list[str], body: bytes) -> Answer:
        asked = msgspec.json.decode(body, type=dict[str, object]) if body else {}
        if method == "POST":
            name = str(asked["basin"])
            if name in self.basins:
                return refused(409, "resource_already_exists")
            config = asked.get("config", {})
            self.basins[name] = _Basin(msgspec.convert(config, dict[str, object]))
            info = {"name": name, "created_at": WHEN, "state": "active"}
            return Answer(201, msgspec.json.encode(info))
        basin = self.basins.get(path[0])
        if basin is None:
            return refused(404, "basin_not_found")
        basin.config.update(asked)
        return Answer(200, msgspec.json.encode(basin.config))

    def _list(self, basin: str, asked: Mapping[str, str]) -> Answer:
        if basin not in self.basins:
            return refused(404, "basin_not_found")
        size, after = int(asked.get("limit", "1000")), asked.get("start_after", "")
        names = sorted(
            name
            for name in self.basins[basin].streams
            if name.startswith(asked.get("prefix", "")) and name > after
        )
        page = [{"name": name, "created_at": WHEN} for name in names[:size]]
        return Answer(200, msgspec.json.encode({"streams": page, "has_more": len(names) > size}))

    def _delete(self, basin: str, name: str) -> Answer:
        found = self.basins[basin].streams.pop(name, None)
        return refused(404, "stream_not_found") if found is None else Answer(202)

    def _append(self, basin: str, name: str, body: bytes) -> Answer:
        if basin not in self.basins:
            return refused(404, "basin_not_found")
        asked = pb.AppendInput.FromString(body)
        metered = sum(map(_metered, asked.records))
        if metered > MIB:
            return refused(422, "invalid")
        creates = self.basins[basin].config.get("create_stream_on_append") is True
        log = self.basins[basin].streams.get(name)
        if log is None and not creates:
            return refused(404, "stream_not_found")
        log = self.basins[basin].streams.setdefault(name, [])
        start = len(log)
        if asked.HasField("match_seq_num") and asked.match_seq_num != start:
            return Answer(412, msgspec.json.encode({"seq_num_mismatch": start}))
        for one in asked.records:
            record = pb.SequencedRecord(seq_num=len(log), headers=one.headers, body=one.body)
            log.append(record)
        end = pb.StreamPosition(seq_num=len(log))
        ack = pb.AppendAck(start=pb.StreamPosition(seq_num=start), end=end, tail=end)
        return Answer(200, ack.SerializeToString())

    def _read(self, basin: str, name: str, asked: Mapping[str, str]) -> Answer:
        log = self.basins[basin].streams.get(name)
        if log is None:
            return refused(404, "stream_not_found")
        end = len(log) - int(asked.get("tail_offset", "0"))
        start = int(asked["seq_num"]) if "seq_num" in asked else max(0, end)
        if start >= len(log):
            tail = {"tail": {"seq_num": len(log), "timestamp": 0}}
            return Answer(416, msgspec.json.encode(tail))
        batch, room = pb.ReadBatch(), MIB
        for record in log[start : start + min(1_000, int(asked.get("count", "1000")))]:
            room -= record.ByteSize()
            if room < 0 and batch.records:
                break
            batch.records.append(record)
        return Answer(200, batch.SerializeToString())


def _metered(record: pb.AppendRecord) -> int:
    headers = sum(2 + len(one.name) + len(one.value) for one in record.headers)
    return 8 + headers + len(record.body)
