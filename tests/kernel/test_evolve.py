"""`evolve` does what `dataclasses.replace` does, for every value of the kernel."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import pytest

from headrace.kernel import commands, model
from headrace.kernel.evolve import evolve
from headrace.kernel.model import Instant, Queued, Run, Wait
from tests.kernel.samples import RUNS


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_run_evolves_as_it_would_be_replaced(run: Run) -> None:
    before, state, now = replace(run), Queued(Instant(3)), Instant(4)
    changed = evolve(run, version=17, state=state, updated=now)
    assert changed == replace(run, version=17, state=state, updated=now)
    assert run == before
    assert evolve(run) == run
    assert evolve(run) is not run


def test_what_is_evolved_stays_frozen_and_hashable() -> None:
    wait = evolve(Wait(model.Key("/a#0"), None), held=False)
    assert hash(wait) == hash(replace(wait))
    with pytest.raises(AttributeError):
        wait.held = True  # type: ignore[misc]  # that is the point


def test_a_name_that_is_no_field_is_refused() -> None:
    with pytest.raises(KeyError):
        evolve(Wait(model.Key("/a#0"), None), nonsense=1)  # type: ignore[call-arg]  # likewise


@pytest.mark.parametrize("module", [model, commands])
def test_no_value_of_the_kernel_does_anything_when_it_is_made(module: object) -> None:
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type)]
    values = [kind for kind in kinds if is_dataclass(kind)]
    assert len(values) > 10
    for kind in values:
        assert not hasattr(kind, "__post_init__")
        assert all(field.init for field in fields(kind))
