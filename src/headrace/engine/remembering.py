"""What a desk makes of a run that it remembers: its waits in their order, and what they allow.

Must never know: stores.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from headrace.kernel.effects import is_offered
from headrace.kernel.evolve import evolve
from headrace.kernel.model import Key, Run, Running, Wait


def may_live(run: Run) -> bool:
    """Tell whether, as far as is remembered, nobody but its worker's server has to offer it."""
    return isinstance(run.state, Running) and not any(map(is_offered, run.waits))


def in_order(known: Run, waits: Iterable[Wait]) -> tuple[Wait, ...]:
    """Put the waits as they stood: who came first is served first."""
    places = {wait.key: place for place, wait in enumerate(known.waits)}
    return tuple(sorted(waits, key=lambda wait: places.get(wait.key, len(places))))


def without(run: Run, answered: Container[Key]) -> Run:
    """Let go of the waits under these keys; of durable ones in the store as well."""
    waits = tuple(wait for wait in run.waits if wait.key not in answered)
    is_lasting = any(wait.held for wait in run.waits if wait not in waits)
    return evolve(run, waits=waits, version=run.version + is_lasting)
