"""The two kinds of campaign: what runs, what is sent to, who is killed, and how often it is calm.

Must never know: how anybody is killed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.chaos import leaving, workload

SERVER: Final = "server"
TWO: Final = ("worker 1", "worker 2")
THREE: Final = (*TWO, "worker 3")


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of campaign."""

    file: Path
    tasks: tuple[str, ...]
    streams: tuple[str, ...]
    workers: tuple[str, ...]
    victims: tuple[str, ...]
    """Who is killed, each as often as the others; somebody may stand there more than once."""
    both: float
    """How often a worker is killed while the server is down."""
    rests_s: tuple[tuple[float, float], ...]
    """How long all are left alone between two kills, beside the time that it takes to come up. What
    may be sent until the next kill is sent at the beginning of that."""
    calm_every: int
    calm_s: float
    """How often nothing is killed, for longer than a lease: a server that was started again gives
    every worker a whole one, so that the runs of the dead would never be taken over."""
    spares: float = 0.0
    """How often the worker is left alone that was started last: a run is given up as crashed when
    three workers in a row were lost before they could write anything down for it."""
    is_copied: bool = False
    """Whether workers are copies of a process that has imported what they need."""


STANDING: Final = Work(
    file=Path(workload.__file__),
    tasks=(workload.consume.id,),
    streams=tuple(workload.VERBS),
    workers=TWO,
    victims=(SERVER, SERVER, *TWO),
    both=0.15,
    rests_s=((0.005, 0.12),),
    calm_every=10,
    calm_s=7.0,
)
LEAVING: Final = Work(
    file=Path(leaving.__file__),
    tasks=tuple(task.id for task in leaving.TASKS),
    streams=(workload.by_wait.id,),
    workers=THREE,
    victims=(SERVER, *THREE * 4),
    both=0.5,
    rests_s=((0.0, 0.05), (0.0, 0.05), (0.05, 0.6)),
    calm_every=40,
    calm_s=6.0,
    spares=0.8,
    is_copied=True,
)
