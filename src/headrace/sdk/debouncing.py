"""How many triggers become one run.

Must never know: what a run is started with beside that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headrace.sdk.deadlines import Duration, seconds_text
from headrace.wire import views


@dataclass(frozen=True, slots=True)
class Debounce:
    """As long as a run of the task is delayed under `key`, a trigger puts it off by `delay` more.

    `leading`: the run keeps what it was started with; `trailing`: it takes over the payload of the
    trigger that came last, and its tags, metadata and limits, if it names some. A run that would
    begin later than `max_delay` after its first trigger is left alone, and another one started.
    """

    key: str
    delay: Duration
    mode: Literal["leading", "trailing"] = "leading"
    max_delay: Duration | None = None


def debounced(debounce: Debounce | None) -> views.Debounce | None:
    """Return it as it goes over the wire."""
    if debounce is None:
        return None
    most = debounce.max_delay
    return views.Debounce(
        key=debounce.key,
        delay=seconds_text(debounce.delay),
        mode=debounce.mode,
        max_delay=None if most is None else seconds_text(most),
    )
