"""The run that this code is part of.

Must never know: how it is executed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from headrace.sdk import execution
from headrace.sdk.codecs import codec_for

_any = codec_for(Any)
_json = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class CurrentRun:
    """Who this code runs for. It is the same in every attempt and replay, but for `attempt`."""

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

    def get(self, name: str, default: Any = None) -> Any:
        """Return what was set, by this run or by whoever triggered it."""
        held = execution.require("metadata.get").metadata
        return _json(held[name]) if name in held else default


metadata = Metadata()
