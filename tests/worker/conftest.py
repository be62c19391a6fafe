"""What the tests of workers begin with."""

import gc

import pytest

from tests.worker.saved_tasks import Big, ran


@pytest.fixture
def fresh() -> None:
    """Forget what earlier runs have left behind."""
    ran.clear()
    gc.collect()
    Big.alive = 0
