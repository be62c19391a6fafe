"""Which plays there are about the wait map.

Owns: the lists that `make test` and `make explore` go through.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from tests.explorer.cast import BOTH, TWICE, A, Cast

Fate = Literal["", "crash", "moves", "moved", "lost", "orphaned"]
FATES: Final[tuple[Fate, ...]] = ("crash", "moves", "lost")
"""Those that may come at any moment of the play."""
DEATHS: Final[tuple[Fate, ...]] = ("crash", "lost")


@dataclass(frozen=True, slots=True)
class MapCast:
    """Who takes part: `cast`, each at a server of their own, and what befalls them.

    The worker renews its lease `pulse` times. The map is emptied `flush` times. `passes`: so much
    time passes that nothing said before is believed. `fate`: the worker's server dies (`crash`),
    the worker with it (`lost`; `orphaned`: just before), or the worker leaves a server that does
    not hear of it (`moves`; `moved`: some time ago).
    `renews_later`: once more when the time has passed. `settled`: so much has passed before, too.
    `parked`: it was said that the run lives, and then it parked, all before the play begins; what
    the map was told of it is still under way.
    """

    cast: Cast
    pulse: int = 1
    flush: int = 0
    passes: bool = False
    fate: Fate = ""
    renews_later: bool = False
    settled: bool = False
    parked: bool = False

    @property
    def actors(self) -> int:
        """Count everybody whose turns are put in every order; a worker renews beside its work."""
        return self.cast.actors + self.flush + self.passes + (self.fate in FATES)

    def __str__(self) -> str:
        words = [f"renews {self.pulse}"] if self.pulse != 1 else []
        words += ["emptied"] * self.flush + ["time"] * self.passes
        words += (
            ["parked"] * self.parked
            + ["settled"] * self.settled
            + ["renews later"] * self.renews_later
            + [self.fate] * bool(self.fate)
        )
        who, _, _ = str(self.cast).partition(";")
        return " + ".join((f"map: {who}", *words))


def _cast(messages: tuple[str, ...], *, held: bool = True, late: bool = False) -> Cast:
    return Cast(messages, held=held, late=late, alone=False, delivering=False)


ONE: Final = MapCast(_cast(A))
ONCE: Final = MapCast(_cast(A, held=False))
AGAIN: Final = MapCast(_cast(TWICE))
TWO: Final = MapCast(_cast(BOTH))
LATE: Final = MapCast(_cast(BOTH, late=True))
SETTLED: Final = replace(ONE, settled=True)
PARKED: Final = replace(ONE, pulse=0, parked=True)


def short() -> Iterator[MapCast]:
    """List what is gone through with every change."""
    yield SETTLED
    yield ONCE
    yield replace(ONE, fate="moved")
    yield replace(ONCE, pulse=0, fate="crash")
    yield replace(ONCE, pulse=0, fate="lost")
    yield replace(PARKED, fate="crash")
    yield replace(PARKED, fate="lost")
    yield replace(ONCE, pulse=0, passes=True, fate="orphaned")
    yield replace(PARKED, passes=True, flush=1)
    for several in (AGAIN, TWO, LATE):
        yield replace(PARKED, cast=several.cast)


def long() -> Iterator[MapCast]:
    """List what is gone through on demand, the longest last."""
    yield from _of_a_run_that_has_parked()
    yield from _without_parking()
    yield from _while_it_parks()
    yield from _when_time_passes_as_well()


def _of_a_run_that_has_parked() -> Iterator[MapCast]:
    """Let a wait stand in the database, and see what befalls it."""
    for flush in (0, 1):
        one = replace(PARKED, flush=flush)
        yield one
        yield replace(one, passes=True)
        for several in (AGAIN, TWO, LATE):
            yield replace(one, cast=several.cast)
        for fate in FATES:
            yield replace(one, fate=fate, pulse=int(fate == "moves"))
    for several in (AGAIN, TWO, LATE):
        yield replace(PARKED, cast=several.cast, fate="lost")
    for several in (AGAIN, TWO):
        yield replace(PARKED, cast=several.cast, passes=True)


def _without_parking() -> Iterator[MapCast]:
    """Let the worker take by `once`, which leaves no wait in the database."""
    yield replace(ONCE, flush=1)
    yield replace(ONCE, flush=1, cast=replace(TWO.cast, held=False))
    yield replace(ONCE, passes=True)
    yield replace(ONCE, passes=True, flush=1)
    yield replace(ONCE, pulse=2, passes=True)
    for fate in FATES:
        yield replace(ONCE, fate=fate)
        yield replace(ONCE, fate=fate, flush=1)
        yield replace(ONCE, fate=fate, settled=True)
    yield replace(ONCE, fate="crash", pulse=0, passes=True, renews_later=True)


def _while_it_parks() -> Iterator[MapCast]:
    """Let the worker park in the play."""
    yield ONE
    yield replace(ONE, flush=1)
    for fate in DEATHS:
        yield replace(ONE, fate=fate)
        yield replace(ONE, fate=fate, settled=True)
    yield AGAIN


def _when_time_passes_as_well() -> Iterator[MapCast]:
    """Let everything come together: a lost worker's lease lapses, too."""
    for flush in (0, 1):
        yield replace(PARKED, flush=flush, passes=True, fate="orphaned")
        yield replace(ONCE, pulse=0, flush=flush, passes=True, fate="orphaned")
