"""What it takes to carry values of one type as JSON text."""

from __future__ import annotations

from typing import Any, Protocol

from headrace.sdk.faults import Fault


class Unfit(Exception):
    """JSON text that is no value of the type; at least one fault."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(faults[0].words)
        self.faults = faults


class Unusable(Exception):
    """A type whose values JSON cannot carry. The text says why."""


class Format(Protocol):
    """One type's way to JSON text and back."""

    def dump(self, value: object) -> bytes:
        """Return JSON text; fails with whatever the library fails with."""
        ...

    def load(self, raw: bytes) -> object:
        """Return the value, or raise `Unfit`."""
        ...

    def fault(self, value: object) -> Fault | None:
        """Find what JSON does not carry, or would carry as something else."""
        ...

    @property
    def needs_look(self) -> bool:
        """Tell whether only `fault` can say if a value is fit."""
        ...

    def schema(self) -> dict[str, Any]:
        """Return JSON Schema."""
        ...
