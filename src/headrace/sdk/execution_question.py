"""A question of one branch, from when it is asked until its answer has been heard.

Owns: how an asker sleeps and is woken. Must never know: whose turn it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from headrace.kernel.journal import Asked
from headrace.kernel.model import Entry, Instant, Key
from headrace.sdk.execution_rest import Stance, Waiter


@dataclass(frozen=True, slots=True)
class Place:
    """Where a branch waits, and how: what is needed to stand there again.

    `name` and `number` say which call it is; `count` how many values were passed over there.
    `parks` allows the run to be put away, after `keep_warm_ms` if that is said.
    """

    name: str
    number: int
    path: str = ""
    count: int = 0
    timeout_ms: int | None = None
    until: Instant | None = None
    shown: str = ""
    """How the limit is shown, for the message when it is over."""
    parks: bool = True
    keep_warm_ms: int | None = None

    @property
    def key(self) -> Key:
        """Return the key of the question asked here."""
        base = f"{self.path}{self.name}#{self.number}"
        return Key(f"{base}~{self.count}" if self.count else base)

    @property
    def is_limited(self) -> bool:
        """Tell whether it ends by itself."""
        return self.timeout_ms is not None or self.until is not None


@dataclass(slots=True, eq=False)
class Question:
    """What one branch wants to know. `launch` puts it to the server, once replay is over.

    Without `asked` it is about the replay itself: whether it is over.
    """

    asked: Asked | None
    stance: Stance
    launch: Callable[[], None] | None = None
    entry: Entry | None = None
    refusal: BaseException | None = None
    cancel: asyncio.CancelledError | None = None
    """The asker has been cancelled."""
    waiter: Waiter | None = None
    place: Place | None = None
    is_launched: bool = False
    is_told: bool = False
    is_unwanted: bool = False
    """Nobody wants the answer any more; what it is must be recorded all the same."""

    @property
    def is_over(self) -> bool:
        """Tell whether the asker may go on."""
        return self.is_told or self.refusal is not None

    @property
    def may_be_told(self) -> bool:
        """A recorded cancellation is told only to a branch that has been cancelled again."""
        return self.entry is not None and (self.entry.ending != "cancelled" or self.is_unwanted)

    @property
    def present_stance(self) -> Stance:
        """Return what the asker waits for; only what the server knows of can be parked."""
        stands = self.is_launched and self.entry is None and not self.is_unwanted
        return self.stance if stands else Stance.ASKS

    def wake(self) -> None:
        """Let the asker look again."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def outcome(self) -> Entry:
        """Return the answer, or raise how the asking ended."""
        if self.refusal is not None or self.entry is None:
            raise self.cancel or self.refusal or asyncio.CancelledError
        if self.entry.ending == "cancelled":
            raise self.cancel or asyncio.CancelledError
        return self.entry
