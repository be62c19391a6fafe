"""Streams in S2 keep the port's promise: the real client, on a fake server."""

from collections.abc import AsyncIterator

import pytest

from headrace.backends.memory import open_memory
from headrace.backends.s2 import open_s2
from headrace.ports import Stores
from headrace.testing.contracts.stores import MendingContract, RevisionsContract, StreamsContract
from tests.s2.rooms import Chance
from tests.s2.standin import StandIn


@pytest.fixture
async def stores() -> AsyncIterator[Stores]:
    fake = StandIn()
    async with (
        fake.serving(),
        open_memory() as memory,
        open_s2(f"s2://dev?endpoint={fake.url}", memory, Chance()) as opened,
    ):
        yield opened


class TestStreams(StreamsContract): ...


class TestRevisions(RevisionsContract): ...


class TestMending(MendingContract): ...
