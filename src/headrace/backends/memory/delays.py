"""Which delayed run stands under a key, in memory."""

from __future__ import annotations

from headrace.backends.memory.tables import KeyPlace, Tables
from headrace.kernel.model import Delayed, Run, RunId
from headrace.ports import Debouncing

DEBOUNCE = "debounce"


def debounced(run: Run, debounce: Debouncing) -> KeyPlace:
    """Return where the key is unique."""
    return KeyPlace(run.env, run.task, DEBOUNCE, debounce.key)


def delayed_under(tables: Tables, run: Run, debounce: Debouncing | None) -> RunId | None:
    """Return the run that is put off instead of `run`, if there is one."""
    taken = None if debounce is None else tables.keys.get(debounced(run, debounce))
    if taken is None or debounce is None:
        return None
    found = tables.runs[taken.run_id]
    is_it = isinstance(found.state, Delayed) and found.created >= debounce.since
    return found.id if is_it else None


def begun(tables: Tables, run_id: RunId) -> None:
    """Let go of the key under which the run was delayed."""
    for place, taken in list(tables.keys.items()):
        if place.space == DEBOUNCE and taken.run_id == run_id:
            del tables.keys[place]
