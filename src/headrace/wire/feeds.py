"""What a feed of runs carries: the question, the place of a reader, the rows.

Owns: these values. Must never know: how they travel (see `shapes`), or how a run is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from headrace.kernel.model import Instant, TaskId
from headrace.wire.views import Large

RawStatus: TypeAlias = Literal[
    "DELAYED",
    "PENDING_VERSION",
    "PENDING",
    "EXECUTING",
    "RETRYING_AFTER_FAILURE",
    "WAITING_TO_RESUME",
    "COMPLETED_SUCCESSFULLY",
    "COMPLETED_WITH_ERRORS",
    "CANCELED",
    "CRASHED",
    "EXPIRED",
    "TIMED_OUT",
]
"""The vocabulary of the feed, which clients translate into that of `views`."""

DAY_MS = 86_400_000
LONGEST_MS = 30 * DAY_MS
"""Runs created earlier than that are followed one by one."""


@dataclass(frozen=True, slots=True)
class RunFeed:
    """One run."""

    run_id: str


@dataclass(frozen=True, slots=True)
class TagFeed:
    """All runs with all of these tags that were created since `window_ms` before the start."""

    tags: tuple[str, ...]
    window_ms: int = DAY_MS


FeedQuery: TypeAlias = RunFeed | TagFeed


@dataclass(frozen=True, slots=True)
class Place:
    """How far a reader has come; both texts are opaque to it."""

    handle: str = ""
    offset: str = ""


START = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRow:
    """A run as the feed shows it.

    Bodies are JSON text, empty for none, and for what is `large`; `streams` are those that it
    writes. `error` is the JSON text of a fault, of one of the types that the clients know.
    """

    id: str
    task: TaskId
    status: RawStatus
    created: Instant
    updated: Instant
    tags: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    started: Instant | None = None
    delayed_until: Instant | None = None
    queued: Instant | None = None
    expired: Instant | None = None
    ended: Instant | None = None
    ran_ms: int = 0
    ttl: str = ""
    payload: bytes = b""
    metadata: bytes = b""
    output: bytes = b""
    error: bytes = b""
    large: tuple[Large, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedPage:
    """What is new at a place, and the place behind it.

    `known` names the runs among the rows that the reader has seen before. `more`: that was not all.
    """

    place: Place
    rows: tuple[FeedRow, ...] = ()
    known: frozenset[str] = frozenset()
    more: bool = False
