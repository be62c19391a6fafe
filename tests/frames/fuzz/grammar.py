"""Where a random program is being written: names in reach, what is allowed here, chance.

Owns: `Writer`, which every production is given. Must never know: any production.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

T = TypeVar("T")
Lines = list[str]
ERRORS: Final = ("ValueError", "KeyError", "Oops", "ZeroDivisionError", "asyncio.CancelledError")
INDENT: Final = "    "


@dataclass(frozen=True, slots=True)
class Callee:
    """Something that may be awaited: `text` with {} where its arguments stand."""

    text: str
    least: int = 1
    most: int = 2
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spot:
    """What is allowed where the next statement stands."""

    names: tuple[str, ...] = ("x",)
    targets: tuple[str, ...] = ("x",)
    awaits: bool = True
    loop: bool = False
    handler: bool = False
    returns: bool = True
    yields: bool = False
    walrus: bool = True
    nested: int = 0


@dataclass
class Writer:
    """Writes one program; the same seed writes the same one."""

    rng: random.Random
    spot: Spot = field(default_factory=Spot)
    callees: list[Callee] = field(default_factory=list[Callee])
    streams: list[str] = field(default_factory=list[str])
    managers: list[str] = field(default_factory=list[str])
    functions: list[str] = field(default_factory=list[str])
    size: int = 70
    _count: int = 0

    def pick(self, options: Sequence[T]) -> T:
        """Choose one."""
        return options[int(self.rng.random() * len(options))]

    def often(self, chance: float) -> bool:
        """Be true so often."""
        return self.rng.random() < chance

    def serial(self) -> int:
        """Return a number that no other place of the program has."""
        self._count += 1
        return self._count

    def fresh(self, prefix: str) -> str:
        """Return a new name."""
        return f"{prefix}{self.serial()}"

    def spend(self, cost: int = 1) -> bool:
        """Take from what the program may still grow; false where it is used up."""
        self.size -= cost
        return self.size > 0

    @contextmanager
    def at(self, spot: Spot) -> Generator[None]:
        """Write somewhere else for a while."""
        before, self.spot = self.spot, spot
        try:
            yield
        finally:
            self.spot = before

    @contextmanager
    def inside(self, spot: Spot) -> Generator[None]:
        """Write a block: what is defined in it is out of reach after it."""
        callees, functions = self.callees[:], self.functions[:]
        with self.at(spot):
            yield
        self.callees, self.functions = callees, functions

    def name(self) -> str:
        """Return a number's name that is bound here."""
        return self.pick(self.spot.names)

    def target(self) -> str:
        """Return a name that may be bound again here."""
        return self.pick(self.spot.targets)


Expression = Callable[[Writer, int], str]
Statement = Callable[[Writer, int], Lines]


def indented(lines: Sequence[str]) -> Lines:
    """Return a block's lines; a block has at least one."""
    return [INDENT + line for line in lines or ["pass"]]
