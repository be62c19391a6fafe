"""Two stores, one story: whatever is asked, Postgres answers as the memory backend does."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from headrace.backends.postgres import open_postgres
from headrace.ports import Stores
from tests.contracts.test_differential import TwoStores
from tests.services.postgres import Postgres, emptied

pytestmark = pytest.mark.timeout(300)
PLACES = list[str]()


@pytest.fixture(scope="module", autouse=True)
def place(postgres_server: Postgres) -> None:
    """Say where the database is: a machine of Hypothesis takes no fixtures."""
    PLACES.append(postgres_server.dsn())


@asynccontextmanager
async def opened() -> AsyncGenerator[Stores]:
    await emptied(PLACES[-1])
    async with open_postgres(PLACES[-1]) as stores:
        yield stores


class MemoryAndPostgres(TwoStores):
    """The same rules, another store."""

    def compared(
        self,
        folder: Path,  # noqa: ARG002 - it is for those that are files
    ) -> AbstractAsyncContextManager[Stores]:
        return opened()


TestMemoryAndPostgres = MemoryAndPostgres.TestCase
# An example costs 1 s.
TestMemoryAndPostgres.settings = settings(
    max_examples=settings().max_examples // 10, stateful_step_count=30
)
