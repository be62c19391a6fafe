"""What workers declare before they take work: tasks, streams, and the functions of their code.

Must never know: how a declaration travels, or where it is kept.
"""

from __future__ import annotations

from msgspec import Struct

from headrace.kernel.model import Retry


class StreamSpec(Struct, frozen=True, kw_only=True):
    """One declared stream. `schema` is JSON Schema text, empty for anything."""

    name: str
    inward: bool
    schema: bytes = b""
    trusted: bool = False


class TaskSpec(Struct, frozen=True, kw_only=True):
    """One declared task. Times are in milliseconds.

    `optional` says that its payload may be left out, since the task has a default for it.
    """

    id: str
    schema: bytes = b""
    optional: bool = False
    retry: Retry = Retry()
    ttl_ms: int | None = None
    max_duration_ms: int | None = None


class Registration(Struct, frozen=True, kw_only=True):
    """What one version of a worker's code declares.

    `python` is its minor version, "3.13". `functions` are the fingerprints of those that a run can
    be saved in, by `module:qualname`: all that were there when it registered, or as many as may be.
    A listing has neither.
    """

    version: str
    tasks: tuple[TaskSpec, ...]
    streams: tuple[StreamSpec, ...]
    python: str = ""
    functions: dict[str, str] = {}
