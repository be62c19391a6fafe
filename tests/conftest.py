"""What holds for every test: one async backend, an event loop that is never blocked, told seeds."""

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import hypothesis
import pytest
from blockbuster import BlockBuster

from tests.services.keeper import kept_folder
from tests.services.postgres import Postgres, emptied, memory, postgres
from tests.services.redis import Product, RedisServer, redis_server

hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("explore", deadline=None, print_blob=True, max_examples=2_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

SEED = int(os.environ.get("HEADRACE_TEST_SEED", "0"))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let programs under test be interrupted; run all tests, as `make test` does, in memory.

    A shell that starts us in the background has all its children ignore it.
    """
    place = memory() if config.getoption("numprocesses", None) else None
    if place is not None and config.option.basetemp is None:
        kept = ExitStack()
        config.option.basetemp = str(kept.enter_context(kept_folder("headrace-tests-", place)))
        config.add_cleanup(kept.close)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Let no search for garbage go through ten thousand collected tests again and again."""
    gc.collect()
    gc.freeze()


def pytest_report_header() -> str:
    return f"headrace: HEADRACE_TEST_SEED={SEED}"


@pytest.fixture(scope="session")
def seed() -> int:
    """The number that every test by chance starts from; `make chaos` gives a new one."""
    return SEED


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def unblocked_loop() -> Iterator[BlockBuster]:
    """Make every blocking call that our code does inside an event loop an error."""
    # Only ours: what a library does on its own account is not ours to repair.
    blockbuster = BlockBuster("headrace")
    # Whenever it connects, asyncpg looks for certificates and a file with passwords.
    for function in blockbuster.functions.values():
        function.can_block_in("asyncpg/connect_utils.py", "_parse_connect_dsn_and_args")
    blockbuster.activate()
    yield blockbuster
    blockbuster.deactivate()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A Postgres of our own, for all tests of this process that do not break it."""
    with postgres(within=memory()) as server:
        yield server


@pytest.fixture
async def database(postgres_server: Postgres) -> str:
    """The URL of a database without a row in it."""
    await emptied(postgres_server.dsn())
    return postgres_server.dsn()


@pytest.fixture(scope="session")
def redis_of_all() -> Iterator[RedisServer]:
    """A Redis of our own, for all tests of this process that do not break it."""
    with redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def valkey_of_all() -> Iterator[RedisServer]:
    """A Valkey of our own, for all tests of this process that do not break it."""
    if not Product.VALKEY.is_here:
        pytest.skip("Valkey has no package for this kind of machine")
    with redis_server(product=Product.VALKEY) as server:
        yield server
