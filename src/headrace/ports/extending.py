"""What a log that is no database can do to be quicker. Must never know: what is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from headrace.ports.storage import Draft


@runtime_checkable
class Extending(Protocol):
    """The capability to append several records at once: speed, where each takes its time."""

    async def extend(self, drafts: Sequence[Draft]) -> int:
        """Append the first of these drafts of one stream, as many as go at once; say how many.

        It is one at the least, and all of those or none. `Clash` as in `append`, and where the
        first one's key is known.
        """
        ...
