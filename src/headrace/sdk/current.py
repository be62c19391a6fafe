"""The run that this code is part of.

Must never know: how it is executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from headrace.sdk import execution
from headrace.sdk.codecs import codec_for
from headrace.wire.changes import EditKind

_any = codec_for(Any)
_all = codec_for(dict[str, Any])
_json = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class CurrentRun:
    """Who this code runs for. It is the same in every attempt and replay, but for `attempt`.

    Tags that were added to the run meanwhile are among its `tags`.
    """

    id: str
    task_id: str
    attempt: int
    tags: tuple[str, ...]

    @property
    def is_replaying(self) -> bool:
        """Tell whether what happens now has happened before: the moment to stay silent in logs."""
        return execution.require("current_run().is_replaying").is_replaying

    def key(self, name: str) -> str:
        """Return an idempotency key for a call to somebody else's system.

        It is the same each time this run asks under `name`, whatever attempt, and another for
        every other run.
        """
        return f"{self.id}:{name}"


def current_run() -> CurrentRun:
    """Return the run; `OutsideRun` where there is none."""
    run = execution.require("current_run()")
    return CurrentRun(run.run_id, run.task_id, run.attempt, tuple(run.tags))


class Metadata:
    """What a run shows of itself on the way: small JSON values by name, for whoever looks."""

    __slots__ = ()

    def set(self, name: str, value: Any) -> None:
        """Set a value. It is shown soon, not at once, and waits for nothing."""
        run = execution.require("metadata.set")
        run.note(name, _any.encode(value, f"metadata[{name!r}]"))

    def delete(self, name: str) -> None:
        """Let a value go, if there is one."""
        execution.require("metadata.delete").note(name, b"", "delete")

    def append(self, name: str, value: Any) -> None:
        """Add to the list of that name, which is made if there is none."""
        self._edit("append", name, value)

    def remove(self, name: str, value: Any) -> None:
        """Take every equal element out of the list of that name."""
        self._edit("remove", name, value)

    def increment(self, name: str, by: float = 1) -> None:
        """Add to the number of that name, which begins at 0; `by` may be negative.

        It is added to what is stored, so that several runs and callers may count together.
        """
        self._edit("increment", name, by)

    def update(self, values: Mapping[str, Any]) -> None:
        """Replace all of it."""
        run = execution.require("metadata.update")
        run.note("", _all.encode(dict(values), "metadata"), "update")

    def _edit(self, kind: EditKind, name: str, value: Any) -> None:
        run = execution.require(f"metadata.{kind}")
        run.note(name, _any.encode(value, f"metadata[{name!r}]"), kind)

    def get(self, name: str, default: Any = None) -> Any:
        """Return what was set, by this run or by whoever triggered it."""
        held = execution.require("metadata.get").metadata
        return _json(held[name]) if name in held else default


metadata = Metadata()
