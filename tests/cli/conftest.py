"""What holds for the tests of commands."""

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster


@pytest.fixture(scope="module", autouse=True)
def blockable_loop(unblocked_loop: BlockBuster) -> Iterator[None]:
    """A command serves nobody else: it may block the loop that it has for itself."""
    unblocked_loop.deactivate()
    yield
    unblocked_loop.activate()
