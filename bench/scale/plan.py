"""What is simulated: how many, for how long, what goes wrong, and what helps against it.

Must never know: how it is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from bench.scale import parameters as p

OUTAGE_S: Final = 10.0
BEFORE_S: Final = 20.37
"""No round moment: what is looked at every second would be lucky."""
AFTER_S: Final = 40.0


class Disaster(Enum):
    """What goes wrong `BEFORE_S` after the beginning."""

    NONE = "nothing"
    DATABASE = "the database is lost for 10 s"
    REDIS = "Redis is lost for 10 s, and empty then"
    SERVERS = "all servers are killed and start again"
    CROWD = "a tenth of all runs is answered within 10 s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What helps against herds: pauses that differ, and many changes in one statement."""

    jitter: bool = True
    group: int = round(p.GROUP.value)


AS_BUILT: Final = Policy()
POLICIES: Final = {
    "as designed": AS_BUILT,
    "without jitter": replace(AS_BUILT, jitter=False),
    "without groups": replace(AS_BUILT, group=1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One world: `runs` wait, `answered` of them are answered within `answers_s`."""

    servers: int
    runs: int
    answered: int
    answers_s: float
    seed: int
    policy: Policy = AS_BUILT
    disaster: Disaster = Disaster.NONE

    @property
    def live(self) -> int:
        """Return how many runs are live."""
        return round(self.runs * p.LIVE.value)

    @property
    def chat(self) -> int:
        """Return how many messages live runs get."""
        return round(self.answered * p.CHAT.value)

    @property
    def lost(self) -> int:
        """Return how many live runs their workers lose: leases end while nobody can renew them."""
        outlived = self.disaster is Disaster.DATABASE and p.LEASE.value < OUTAGE_S
        return self.live if outlived else 0

    @property
    def followers(self) -> int:
        """Return how many connections are cut off."""
        cut = self.disaster is Disaster.SERVERS
        return round(self.runs * p.FOLLOWERS.value) if cut else 0

    @property
    def begins(self) -> float:
        """Return when it goes wrong."""
        return BEFORE_S

    @property
    def ends(self) -> float:
        """Return when what was lost is back."""
        match self.disaster:
            case Disaster.SERVERS:
                return BEFORE_S + p.BACK.value
            case Disaster.NONE:
                return BEFORE_S
            case Disaster.DATABASE | Disaster.REDIS | Disaster.CROWD:
                return BEFORE_S + OUTAGE_S


def calm(servers: int, runs: int, seed: int) -> Plan:
    """Return a time in which each of the runs is answered once, and nothing goes wrong."""
    return Plan(servers=servers, runs=runs, answered=runs, answers_s=p.WAIT.value, seed=seed)


def herd(servers: int, runs: int, seed: int, disaster: Disaster, policy: Policy) -> Plan:
    """Return a minute in which something goes wrong."""
    length = BEFORE_S + OUTAGE_S + AFTER_S
    answered = round(runs * length / p.WAIT.value)
    if disaster is Disaster.CROWD:
        answered, length = runs // 10, OUTAGE_S
    return Plan(
        servers=servers,
        runs=runs,
        answered=answered,
        answers_s=length,
        seed=seed,
        policy=policy,
        disaster=disaster,
    )
