"""Which plays there are about the wait map.

Owns: the lists that `make test` and `make explore` go through.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from tests.explorer.cast import BOTH, TWICE, A, Cast

Fate = Literal["", "crash", "moves", "lost"]
FATES: Final[tuple[Fate, ...]] = ("crash", "moves", "lost")


@dataclass(frozen=True, slots=True)
class MapCast:
    """Who takes part: `cast`, each at a server of their own, and what befalls them.

    The worker renews its lease `pulse` times. The map is emptied `flush` times. `passes`: so much
    time passes that nothing said before is believed. `fate`: the worker's server dies (`crash`),
    the worker with it (`lost`), or the worker leaves a server that does not hear of it (`moves`).
    `renews_later`: once more when the time has passed. `settled`: so much has passed before, too.
    """

    cast: Cast
    pulse: int = 1
    flush: int = 0
    passes: bool = False
    fate: Fate = ""
    renews_later: bool = False
    settled: bool = False

    @property
    def actors(self) -> int:
        """Count everybody whose turns are put in every order; a worker renews beside its work."""
        return self.cast.actors + self.flush + self.passes + bool(self.fate)

    def __str__(self) -> str:
        words = [f"renews {self.pulse}"] if self.pulse != 1 else []
        words += ["emptied"] * self.flush + ["time"] * self.passes
        words += (
            ["settled"] * self.settled
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


def short() -> Iterator[MapCast]:
    """List what is gone through with every change."""
    yield ONE
    yield ONCE
    yield SETTLED
    yield replace(ONE, pulse=0, fate="crash")
    yield replace(ONE, fate="moves")
    yield replace(ONCE, pulse=0, fate="lost")


def long() -> Iterator[MapCast]:
    """List what is gone through on demand."""
    for one in (ONE, ONCE):
        yield replace(one, passes=True)
        yield replace(one, pulse=2, passes=True)
        yield replace(one, flush=1)
        for fate in FATES:
            yield replace(one, fate=fate)
            yield replace(one, fate=fate, passes=True)
            yield replace(one, fate=fate, settled=True)
            yield replace(one, fate=fate, pulse=0, passes=True, renews_later=True)
            yield replace(one, fate=fate, flush=1)
    for one in (AGAIN, TWO, LATE):
        yield one
        yield replace(one, flush=1)
        yield replace(one, passes=True)
