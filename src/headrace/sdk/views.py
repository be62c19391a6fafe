"""Runs as a program sees them from outside.

Owns: the Python form of the wire's views, and which error an outcome is.
Must never know: how a view came here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from headrace import errors
from headrace.sdk.codecs import Codec
from headrace.wire.views import FINAL, RunView, Status, WaitView

T = TypeVar("T")
_json = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run failed; `traceback` is that of its last attempt."""

    name: str
    message: str
    traceback: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What one branch of a run waits for: a `stream`, a `token`, or else the moment `until`."""

    since: datetime
    stream: str | None = None
    until: datetime | None = None
    line: str = ""
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it was when it was asked for. Payload, output and metadata are plain JSON."""

    id: str
    task_id: str
    status: Status
    attempt: int
    created_at: datetime
    updated_at: datetime
    tags: tuple[str, ...] = ()
    started_at: datetime | None = None
    finished_at: datetime | None = None
    delayed_until: datetime | None = None
    idempotency_key: str | None = None
    payload: Any = None
    output: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    error: RunError | None = None
    waits: tuple[Waiting, ...] = ()
    unread: Mapping[str, int] = field(default_factory=dict[str, int])
    blocked: str | None = None
    """Where the code no longer fits the run: how they differ."""

    @property
    def is_over(self) -> bool:
        """Tell whether the run has ended, however it did."""
        return self.status in FINAL


def run_of(view: RunView) -> Run:
    """Return the view in Python's terms."""
    return Run(
        id=view.id,
        task_id=view.task_identifier,
        status=view.status,
        attempt=view.attempt_count,
        created_at=datetime.fromisoformat(view.created_at),
        updated_at=datetime.fromisoformat(view.updated_at),
        tags=tuple(view.tags),
        started_at=_moment(view.started_at),
        finished_at=_moment(view.finished_at),
        delayed_until=_moment(view.delayed_until),
        idempotency_key=view.idempotency_key or None,
        payload=_value(view.payload),
        output=_value(view.output),
        metadata=_value(view.metadata) or {},
        error=_error(view),
        waits=tuple(map(_waiting, view.waits)),
        unread=view.unread,
        blocked=view.blocked or None,
    )


def result_of(view: RunView, codec: Codec[T]) -> T:
    """Return the result of a run that is over, or raise the verdict on it."""
    if view.status == "COMPLETED":
        raw = b"" if isinstance(view.output, UnsetType) else bytes(view.output)
        return codec.decode(raw, "result")
    error = _error(view) or RunError("", "", "")
    why = f": {error.name}: {error.message}" if error.message else ""
    verdict, ended = _VERDICTS[view.status]
    raised = verdict(
        f"run {view.id} of {view.task_identifier} {ended}{why}",
        run_id=view.id,
        task_id=view.task_identifier,
        name=error.name,
        why=error.message,
        traceback=error.traceback,
    )
    if error.traceback:
        raised.add_note(f"The task's own traceback:\n{error.traceback}")
    raise raised


_VERDICTS: Mapping[Status, tuple[type[errors.Verdict], str]] = {
    "FAILED": (errors.RunFailed, "failed"),
    "CANCELED": (errors.RunCanceled, "was cancelled"),
    "CRASHED": (errors.RunCrashed, "crashed"),
    "SYSTEM_FAILURE": (errors.RunCrashed, "crashed"),
    "EXPIRED": (errors.RunExpired, "was not started in time"),
    "TIMED_OUT": (errors.RunTimedOut, "executed too long"),
}


def _error(view: RunView) -> RunError | None:
    found = view.error
    if isinstance(found, UnsetType):
        return None
    return RunError(found.name or "Error", found.message, found.stack_trace or "")


def _waiting(view: WaitView) -> Waiting:
    return Waiting(
        since=datetime.fromisoformat(view.since),
        stream=view.stream or None,
        until=_moment(view.until),
        line=view.line or "",
        token=view.token or None,
    )


def _moment(text: str | UnsetType) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _value(raw: msgspec.Raw | UnsetType) -> Any:
    return None if raw is UNSET or not raw else _json(raw)
