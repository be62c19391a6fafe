"""What is asked about a run that is there: replayed, rescheduled, tagged, its metadata changed.

Must never know: how any of it is stored or decided.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import UNSET, Raw, UnsetType, field

from headrace.wire.views import Machine, Wire

EditKind: TypeAlias = Literal["set", "delete", "append", "remove", "increment", "update"]


class Edit(Wire, frozen=True, kw_only=True):
    """One change of metadata. A `key` that begins with `$.` is a path, any other a name.

    `append` makes a list of what is none; `remove` takes equal elements out of one; `increment`
    begins at 0; `update` replaces all. Only `delete` needs no value, only `update` no key.
    """

    type: EditKind
    key: str = ""
    value: Raw | UnsetType = UNSET


class Amendment(Wire, frozen=True, kw_only=True):
    """Changes of metadata: replaced first, if `metadata` is there, then edited in order."""

    metadata: Raw | UnsetType = UNSET
    operations: list[Edit] = field(default_factory=list[Edit])
    parent_operations: list[Edit] = field(default_factory=list[Edit])
    root_operations: list[Edit] = field(default_factory=list[Edit])


class Described(Wire, frozen=True, kw_only=True):
    """A run's metadata."""

    metadata: Raw
    metadata_type: str | UnsetType = UNSET


class Tagging(Wire, frozen=True, kw_only=True):
    """Tags to add."""

    tags: str | list[str]


class Said(Wire, frozen=True, kw_only=True):
    """What was done, in words."""

    message: str


class Rescheduling(Wire, frozen=True, kw_only=True):
    """When a delayed run is to begin: a duration from now, or a date."""

    delay: str | int | float


class FreeingKey(Wire, frozen=True, kw_only=True):
    """The task whose idempotency key is to be free again."""

    task_identifier: str


class FreedKey(Wire, frozen=True, kw_only=True):
    """The key that is free again."""

    id: str


class ReplayOrder(Wire, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What differs in a replay; all else is as the run was started.

    Accepted without effect: queue, concurrency key, machine, version, region, priority.
    """

    payload: Raw | UnsetType = UNSET
    payload_type: str = ""
    metadata: Raw | UnsetType = UNSET
    tags: str | list[str] | None = None
    delay: str | int | float | None = None
    ttl: str | int | float | None = None
    idempotency_key: str | None = None
    idempotency_key_ttl: str | None = field(default=None, name="idempotencyKeyTTL")
    max_attempts: int | None = None
    max_duration: float | None = None
    queue: str | None = None
    concurrency_key: str | int | float | None = None
    machine: Machine | None = None
    version: str | None = None
    region: str | None = None
    priority: int | float | None = None
