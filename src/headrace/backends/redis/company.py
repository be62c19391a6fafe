"""Whether anybody else listens on a channel, as far as a sender can know.

Owns: what was counted and heard, and whether something was kept back. Must never know: Redis.

Rule: who keeps something to himself owes it to whoever turns up. Being alone is a guess that saves
      work; it lapses with each sign of somebody else, and what was kept is then owned up to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

QUIET_S: Final = 3.0
"""Nobody is alone so soon after another was heard. Everybody says something each second."""


class Company:
    """Counts hearers. `now` tells seconds; `own_up` is called when what was kept is owed."""

    def __init__(self, now: Callable[[], float], own_up: Callable[[], None]) -> None:
        self._now, self._own_up = now, own_up
        self._kept = False
        self._heard_by_one = 0
        """The number of our last message, if one alone heard it."""
        self._echo = 0
        """The number of our message that we heard last, until we are deaf or hear another."""
        self._quiet_from = -float("inf")

    @property
    def is_alone(self) -> bool:
        """Tell whether nobody else listens.

        Messages arrive in the order in which they were sent. So if the last one had one hearer and
        we heard it, we were the only one; and who has come since has said so, or will be counted.
        """
        return 0 < self._heard_by_one == self._echo and self._now() >= self._quiet_from

    def keeps(self) -> bool:
        """Tell whether there is nobody to tell, and note that something was kept."""
        self._kept |= self.is_alone
        return self.is_alone

    def counted(self, number: int, hearers: object) -> None:
        """So many heard our message."""
        self._heard_by_one = number if hearers == 1 else 0
        if hearers != 1:
            self._settle()

    def echoed(self, number: int) -> None:
        """We heard our own message."""
        self._echo = number

    def met(self) -> None:
        """We heard somebody else."""
        self._quiet_from = self._now() + QUIET_S
        self.deaf()

    def deaf(self) -> None:
        """We may have missed something."""
        self._echo = 0
        self._settle()

    def _settle(self) -> None:
        if self._kept:
            self._kept = False
            self._own_up()
