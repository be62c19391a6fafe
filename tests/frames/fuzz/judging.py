"""One program, judged: as Python runs it, transformed, and saved and resumed on its way.

Must never know: how programs are written, or how many there are.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Final, cast

from headrace import frames
from tests.frames.fuzz.driving import Input, Trace, run, stay
from tests.frames.fuzz.loading import Shelf, Way
from tests.frames.fuzz.world import JOURNAL
from tests.frames.parking import Coro, Parked, again, token

Lines = Sequence[tuple[str, int]]
HOW_OFTEN: Final = (1.0, 0.5, 1.0)


@dataclass
class Verdict:
    """What came of one program."""

    suspensions: int = 0
    restored: int = 0
    put_away: int = 0
    not_saved: Counter[str] = field(default_factory=Counter[str])
    not_resumable: str = ""
    difference: str = ""
    detail: str = ""

    @property
    def is_refused(self) -> bool:
        """Tell whether anything of it could not be done."""
        return bool(self.not_resumable or self.not_saved)


class Hopping:
    """Saves, puts away and restores at suspensions; counts, and says what was refused."""

    def __init__(self, verdict: Verdict, seed: int, often: float) -> None:
        self._verdict = verdict
        self._rng = random.Random(seed)  # noqa: S311 - no secret
        self._often = often

    def __call__(self, coroutine: Coro) -> tuple[Coro, Parked[object] | None]:
        """Go on with another coroutine that was made of this one."""
        if self._rng.random() >= self._often:
            return coroutine, None
        before = len(JOURNAL.notes)
        try:
            saved = bytes(frames.save(coroutine, token))
        except frames.NotSaved as refusal:
            self._verdict.not_saved[_short(str(refusal))] += 1
            return coroutine, None
        if self._rng.random() < 0.1:
            self._unmoved(before, "saving")
            return coroutine, None  # saved only; it goes on as if nothing had been
        frames.put_away(coroutine)
        self._verdict.put_away += 1
        self._unmoved(before, "putting away")
        made = cast("Coro", frames.restore(saved, again))
        at = cast("Parked[object]", made.send(None))
        self._verdict.restored += 1
        self._unmoved(before, "restoring")
        return made, at

    def _unmoved(self, before: int, what: str) -> None:
        if len(JOURNAL.notes) != before:
            JOURNAL.notes.append(f"{what} had effects")


def _short(refusal: str) -> str:
    """Return a refusal without what differs from program to program."""
    plain = re.sub(r"(/[\w./-]*)?written_by_chance_", "", refusal)
    return re.sub(r"\d+", "#", plain)[:200]


def judged(shelf: Shelf, text: str, way: Way, inputs: Sequence[Input]) -> Verdict:
    """Run a program in every way, and compare."""
    verdict = Verdict()
    try:
        with shelf.modules(text, way) as (native, made):
            _compare(verdict, native, made, inputs)
    except frames.NotResumable as refusal:
        verdict.not_resumable = _short(str(refusal))
    except RecursionError:
        raise
    except Exception as error:  # noqa: BLE001 - it is a finding
        verdict.difference = f"{type(error).__name__} of the machinery"
        verdict.detail = str(error)
    return verdict


def _compare(
    verdict: Verdict, native: ModuleType, made: ModuleType, inputs: Sequence[Input]
) -> None:
    for at, told in enumerate(inputs):
        expected = run(native, told)
        verdict.suspensions += expected.suspensions
        if not _same(verdict, "transformed", expected, run(made, told, stay), lines=True):
            return
        hopping = Hopping(verdict, told.seed, HOW_OFTEN[at % len(HOW_OFTEN)])
        if not _same(verdict, "restored", expected, run(made, told, hopping), lines=False):
            return


def _as_seen(expected: Lines, got: Lines) -> bool:
    """Compare tracebacks; Python 3.11 loses frames where an error is thrown into a handler."""
    if sys.version_info >= (3, 12):
        return expected == got
    left = iter(got)
    return all(line in left for line in expected)


def _same(verdict: Verdict, what: str, expected: Trace, got: Trace, *, lines: bool) -> bool:
    pairs: list[tuple[str, object, object]] = [("outcome", expected.outcome, got.outcome)]
    for at, (wanted, given) in enumerate(zip(expected.notes, got.notes, strict=False)):
        if wanted != given:
            pairs.insert(0, ("effect", f"{at}: {wanted}", given))
            break
    pairs.append(("number of effects", len(expected.notes), len(got.notes)))
    if lines and not _as_seen(expected.lines, got.lines):
        pairs.append(("traceback", expected.lines, got.lines))
    for name, wished, found in pairs:
        if wished != found:
            verdict.difference = f"{what}: another {name}"
            verdict.detail = f"expected {wished}\n     got {found}"
            return False
    return True
