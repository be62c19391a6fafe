"""The judge: says which promises a history breaks.

It takes the side of the user: what was acknowledged or given to user code counts, and of what the
system says about itself only what is on disk in the end.
"""

from collections.abc import Iterable
from typing import Final

from tests.history import leaves, sends, takes, times
from tests.history.events import Event
from tests.history.story import Story, tell
from tests.history.verdict import Law, Violation

_LAWS: Final[tuple[Law, ...]] = (
    *sends.LAWS,
    *takes.LAWS,
    *leaves.LAWS,
    times.no_wait_is_stuck,
)


def check(events: Iterable[Event], *, late_ms: int = 250) -> list[Violation]:
    """Return every breach; a timer may fire `late_ms` after its deadline, outages not counted."""
    return judge(tell(events), late_ms=late_ms)


def judge(story: Story, *, late_ms: int = 250) -> list[Violation]:
    """Do what `check` does, for a history that is sorted already."""
    found = [violation for law in _LAWS for violation in law(story)]
    return [*found, *times.timers_fire_in_time(story, late_ms)]
