"""What is posted in one round of the event loop, as one frame.

Owns: gathering. Must never know: what operations mean, or runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from headrace.ports import Channel
from headrace.wire.channel import Operation


class Frames:
    """The way to the server, while there is one; see `sdk.execution_ledger.Outbox`."""

    def __init__(self, sent: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._channel: Channel | None = None
        self._posted: list[Operation] = []
        self._last_words: dict[Callable[[], None], None] = {}
        self._is_due = False
        self._sent = sent

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is about to be posted."""
        return not self._is_due

    def connect(self, channel: Channel, unanswered: Iterable[Operation]) -> None:
        """Post on this channel from now on, first what the one before left unanswered."""
        self._channel = channel
        self._posted = list(unanswered)
        self._schedule()

    def disconnect(self) -> None:
        """Post nowhere: whoever wants an answer posts again."""
        self._channel = None
        self._posted.clear()

    def post(self, operation: Operation) -> None:
        """Put an operation into the next frame."""
        self._posted.append(operation)
        self._schedule()

    def compose(self, last_words: Callable[[], None]) -> None:
        """Call `last_words` when the next frame is made; what it posts still goes into it."""
        self._last_words[last_words] = None
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        words, self._last_words = self._last_words, {}
        for say in words:
            say()
        # Cleared after the last words, which post into this very frame.
        self._is_due = False
        posted, self._posted = self._posted, []
        if posted and self._channel is not None:
            self._channel.post(posted)
        self._sent()
