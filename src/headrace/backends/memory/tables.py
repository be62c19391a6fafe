"""What the memory backend holds. Its methods never await, so each is one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from headrace.errors import NotFound
from headrace.kernel.model import (
    Entry,
    EnvId,
    Footing,
    Instant,
    Record,
    Run,
    RunId,
    StreamId,
    TaskId,
    WaitpointId,
    WorkerId,
)
from headrace.ports import NEVER, Notes, Order, Waitpoint


class KeyPlace(NamedTuple):
    """Where an idempotency key is unique. `space` tells the caller's keys from the client's."""

    env: EnvId
    task: TaskId
    space: str
    key: str


class WaitpointKey(NamedTuple):
    """Where a waitpoint's idempotency key is unique; `stream` is that of the record it awaits."""

    env: EnvId
    space: str
    stream: tuple[RunId, StreamId] | None
    key: str


@dataclass(frozen=True, slots=True)
class Taken:
    """The run that stands under an idempotency key, and when the key is free again."""

    run_id: RunId
    until: Instant

    def is_taken(self, now: Instant) -> bool:
        """Tell whether the key still stands for the run."""
        return self.until == NEVER or self.until > now


class Lease(NamedTuple):
    """Until when a worker is taken for alive, and the number of its seat."""

    until: Instant
    seat: int


@dataclass(slots=True)
class Tables:
    """Runs in the order of their creation, and what belongs to each."""

    runs: dict[RunId, Run] = field(default_factory=dict[RunId, Run])
    orders: dict[RunId, Order] = field(default_factory=dict[RunId, Order])
    snapshots: dict[RunId, bytes] = field(default_factory=dict[RunId, bytes])
    footings: dict[RunId, Footing | None] = field(default_factory=dict[RunId, Footing | None])
    journals: dict[RunId, list[Entry]] = field(default_factory=dict[RunId, list[Entry]])
    keys: dict[KeyPlace, Taken] = field(default_factory=dict[KeyPlace, Taken])
    tickets: dict[bytes, Instant] = field(default_factory=dict[bytes, Instant])
    blobs: dict[str, tuple[Instant, bytes]] = field(
        default_factory=dict[str, tuple[Instant, bytes]]
    )
    notes: dict[RunId, Notes] = field(default_factory=dict[RunId, Notes])
    records: dict[RunId, dict[StreamId, list[Record]]] = field(
        default_factory=dict[RunId, dict[StreamId, list[Record]]]
    )

    waitpoints: dict[WaitpointId, Waitpoint] = field(default_factory=dict[WaitpointId, Waitpoint])
    waitpoint_keys: dict[WaitpointKey, tuple[WaitpointId, Instant]] = field(
        default_factory=dict[WaitpointKey, tuple[WaitpointId, Instant]]
    )
    """Which waitpoint stands under a key, and when that is free again."""
    leases: dict[WorkerId, Lease] = field(default_factory=dict[WorkerId, Lease])

    def log(self, run_id: RunId, stream: StreamId) -> list[Record]:
        """Return the records of a stream, to read or to append to."""
        if run_id not in self.runs:
            raise NotFound(f"there is no run {run_id}")
        return self.records[run_id].setdefault(stream, [])
