"""The invariants by name, and what a breach of one looks like."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from tests.history.story import Story


class Invariant(Enum):
    """What must hold."""

    LOST = "I1: what was acknowledged is in the log, unaltered"
    DOUBLED = "I2: one message is one record, and one record is taken once"
    REORDERED = "I3: no gaps, first come first served, and order as in real time"
    ZOMBIE = "I4: nothing is committed by an older epoch after a newer one"
    UNSETTLED = "I5: a wait ends exactly once"
    STUCK = "I6: no wait stands while there is a record for it"
    MISTIMED = "I7: a timer fires at its deadline or a little later"
    PHANTOM = "I8: of an unknown send there is one record at most, of a refused one none"
    DIFFERS = "I9: user code sees what the journal holds, each time"
    REPEATED = (
        "I10: code before a snapshot does not run again, other code only if its worker was killed"
    )
    FORGOTTEN = "I11: variables are as if the run had never left"
    UNWOUND = "I12: no `finally` runs while a run waits"


LEAVING: Final = frozenset({Invariant.REPEATED, Invariant.FORGOTTEN, Invariant.UNWOUND})
"""Those about runs that are saved while they wait."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach."""

    invariant: Invariant
    what: str

    def __str__(self) -> str:
        return f"{self.invariant.name}: {self.what}"


Law = Callable[[Story], Iterator[Violation]]
