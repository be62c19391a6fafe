"""What a log that is no database can do to be quicker. Must never know: what is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from headrace.kernel.model import RunId, StreamId
from headrace.ports.storage import Backlog, Draft


@runtime_checkable
class Extending(Protocol):
    """The capability to append many at once, and to know ends, where each call takes its time."""

    async def extend(self, drafts: Sequence[Draft]) -> int:
        """Append the first of these drafts of one stream, as many as go at once; say how many.

        It is one at the least, and all of those or none. `Clash` as in `append`, and where the
        first one's key is known.
        """
        ...

    def seen(self, run_id: RunId, stream: StreamId) -> Backlog | None:
        """Return where the stream ended when it was looked at last, which costs nothing.

        After `Clash` that is behind what was in the way. `None`: it is not known to hold anything.
        """
        ...
