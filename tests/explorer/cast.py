"""Who takes part in a play, and which plays there are.

Owns: the lists that `make test` and `make explore` go through.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part beside the worker, and where.

    `held` asks by `wait`, otherwise by `once`. `early`: time stops a millisecond before the
    deadline. `evicted`: the worker puts the run away while it waits; `saves`: it leaves a snapshot
    when it does so, and `drops` what that stands for; `unfit`: nobody can use it. `fresh`: nobody
    has taken the run up when the play begins. `alone`: everybody comes through one server; if not,
    each has a server of their own. `delivering`: records and runs are in one database. `token`:
    everybody is about one token instead of a stream; the senders complete it, and the first counts.
    `late`: the task asks for one message, so that others may come after its end.
    """

    messages: tuple[str, ...] = ()
    timeout: bool = False
    cancel: bool = False
    held: bool = True
    early: bool = False
    evicted: bool = False
    saves: bool = False
    drops: bool = False
    unfit: bool = False
    fresh: bool = False
    alone: bool = True
    delivering: bool = True
    token: bool = False
    late: bool = False

    @property
    def values(self) -> int:
        """Count what the task asks for."""
        distinct = len(set(self.messages))
        return min(distinct, 1) if self.token or self.late else distinct

    @property
    def actors(self) -> int:
        """Count everybody whose turns are put in every order."""
        return 1 + len(self.messages) + self.timeout + self.cancel

    def __str__(self) -> str:
        asks, sends = ("for_token", "complete") if self.token else ("wait", "send")
        parts = [asks if self.held else "once", *(f"{sends} {name}" for name in self.messages)]
        parts += [name for name in _TRAITS if getattr(self, name)]
        where = "one server" if self.alone else "a server each"
        return f"{' + '.join(parts)}; {where}{'' if self.delivering else ', log elsewhere'}"


_TRAITS: Final = (
    *("timeout", "early", "cancel"),
    *("evicted", "saves", "drops", "unfit", "fresh", "late"),
)
A: Final = ("a",)
BOTH: Final = ("a", "b")
TWICE: Final = ("a", "a")
"""The same message under the same key, from two at once."""
THREE: Final = ("a", "b", "c")

PAIRS: Final = (
    Cast(A),
    Cast(timeout=True, early=True),
    Cast(cancel=True),
)
TRIOS: Final = (
    Cast(A, timeout=True),
    Cast(A, cancel=True),
    Cast(BOTH),
    Cast(TWICE),
    Cast(timeout=True, cancel=True),
)
TOKENS: Final = (
    Cast(A, token=True),
    Cast(A, token=True, cancel=True),
    Cast(BOTH, token=True),
)
SLOW_TOKENS: Final = (
    Cast(A, token=True, timeout=True),
    Cast(BOTH, token=True, timeout=True),
    Cast(A, token=True, cancel=True, saves=True),
)
QUARTETS: Final = (
    Cast(A, timeout=True, cancel=True),
    Cast(BOTH, timeout=True),
    Cast(BOTH, cancel=True),
    Cast(TWICE, timeout=True),
    Cast(TWICE, cancel=True),
    Cast(THREE),
)


def short() -> Iterator[Cast]:
    """List what is gone through with every change: up to three actors."""
    for cast in (*PAIRS, *TRIOS):
        yield cast
        yield replace(cast, held=False)
        yield replace(cast, held=False, alone=False)
    for cast in PAIRS:
        yield replace(cast, alone=False)
        yield replace(cast, delivering=False)
        yield replace(cast, delivering=False, alone=False)
    for cast in (Cast(A), Cast(A, alone=False)):
        yield replace(cast, evicted=True)
        yield replace(cast, fresh=True)
    for cast in PAIRS:
        yield replace(cast, saves=True)
        yield replace(cast, saves=True, alone=False)
    for cast in (Cast(A, saves=True), Cast(A, saves=True, alone=False)):
        yield replace(cast, drops=True)
        yield replace(cast, unfit=True)
    yield Cast(A, cancel=True, saves=True)
    yield from TOKENS
    yield Cast(A, token=True, alone=False)
    yield Cast(A, token=True, saves=True)
    yield Cast(A, token=True, evicted=True)
    yield Cast(A, token=True, fresh=True, alone=False)


def long() -> Iterator[Cast]:
    """List what is gone through on demand: four actors, and the slow ones of three."""
    yield from (replace(cast, held=False) for cast in QUARTETS)
    yield from QUARTETS
    for cast in TRIOS:
        yield replace(cast, alone=False)
        yield replace(cast, alone=False, delivering=False)
        yield replace(cast, delivering=False)
        yield replace(cast, evicted=True)
        yield replace(cast, saves=True, drops=True)
        yield replace(cast, saves=True, alone=False)
        yield replace(cast, saves=True, unfit=True)
        yield replace(cast, fresh=True)
    for cast in QUARTETS:
        yield replace(cast, held=False, alone=False)
    yield from (replace(cast, alone=False) for cast in TOKENS[1:])
    yield replace(SLOW_TOKENS[0], held=False, alone=False)
    for cast in SLOW_TOKENS:
        yield cast
        yield replace(cast, alone=False)
