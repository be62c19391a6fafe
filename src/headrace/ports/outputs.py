"""Output streams as others write them, beside the run itself.

Errors are those of `headrace.errors`. Must never know: framing, tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

Target: TypeAlias = Literal["self", "parent", "root"]
"""Whose stream is meant: the run's, that of the run that started it, or that of the first one."""


class OutputsApi(Protocol):
    """Write to output streams of runs that are not over."""

    async def write(
        self,
        run_id: str,
        stream: str,
        values: Sequence[bytes],
        *,
        writer: str = "",
        first: int = 0,
        target: Target = "self",
    ) -> None:
        """Append values (strict JSON text), all in one commit; without any, only check.

        A `writer` numbers its values from 0 on; `first` is the number of the first one here. What
        is there already is passed over, with another body refused, and so is a gap. Values
        without a writer are appended each time.
        """
        ...

    async def written(
        self, run_id: str, stream: str, *, writer: str, target: Target = "self"
    ) -> int:
        """Count the values of the writer that are there."""
        ...
