"""What holds for every test: one async backend, an event loop that is never blocked, told seeds."""

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest
from blockbuster import BlockBuster

from tests.services.postgres import Postgres, emptied, postgres
from tests.services.redis import Product, RedisServer, redis_server

hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("explore", deadline=None, print_blob=True, max_examples=2_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

SEED = int(os.environ.get("HEADRACE_TEST_SEED", "0"))


def pytest_configure() -> None:
    """Let programs under test be interrupted.

    A shell that starts us in the background has all its children ignore it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
    with postgres() as server:
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
