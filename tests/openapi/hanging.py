"""Tells an answer that hangs from a machine that stands still.

Owns: what is asked again, when, and how often. Must never know: what an answer says.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, Literal

from tests.openapi.asking import Asked, Heard, Wire
from tests.openapi.pulse import Pulse

SLOW_S: Final = 1.0
TRIES: Final = 2
"""So often must it be slow again, alone, on a machine at ease, to be said to hang."""
MOST: Final = 15
QUICK_S: Final = 0.2
"""A server that is at ease says that it is well within so long."""
CALM_S: Final = 1.0
PATIENCE_S: Final = 30.0
_CANARY: Final = Asked("GET", "/health")
Verdict = Literal["quick", "hang", "once", "stalled"]


@dataclass(frozen=True, slots=True)
class Judged:
    """`once` was slow on a machine at ease, but not again; `stalled` was not at ease."""

    verdict: Verdict
    times: str = ""


def judged(wire: Wire, pulse: Pulse, asked: Asked, heard: Heard) -> Judged:
    """Ask again, if it was slow, until it is quick or has been slow often enough at ease."""
    if not _is_slow(heard):
        return Judged("quick")
    was_calm = pulse.was_at_ease(time.monotonic() - heard.elapsed_s)
    times, slow = [heard.elapsed_s], 0
    for _ in range(MOST):
        _wait_until_calm(wire, pulse)
        again = wire.ask(asked)
        times.append(again.elapsed_s)
        if not _is_slow(again):
            return Judged("once" if was_calm else "stalled", _text(times))
        slow += pulse.was_at_ease(time.monotonic() - again.elapsed_s)
        if slow == TRIES:
            return Judged("hang", _text(times))
    return Judged("stalled", _text(times))


def _wait_until_calm(wire: Wire, pulse: Pulse) -> None:
    """Wait until nothing is late any more and the server is quick with what costs nothing."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        pulse.feel(CALM_S)
        is_quick = wire.ask(_CANARY).elapsed_s <= QUICK_S
        if is_quick and pulse.was_at_ease(time.monotonic() - CALM_S):
            return


def _is_slow(heard: Heard) -> bool:
    return heard.end != "held" and heard.elapsed_s > SLOW_S


def _text(times: list[float]) -> str:
    return ", ".join(f"{seconds:.2f} s" for seconds in times)
