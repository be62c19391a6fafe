"""Streams in S2 keep the port's promise: the real client, on a real s2-lite."""

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from headrace.backends.memory import open_memory
from headrace.backends.s2 import open_s2
from headrace.ports import Stores
from headrace.testing.contracts.stores import MendingContract, RevisionsContract, StreamsContract
from tests.s2.lite import Lite, running
from tests.s2.rooms import Chance

_rooms = itertools.count()


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lite]:
    with running(tmp_path_factory.mktemp("s2-lite")) as lite:
        yield lite


@pytest.fixture
async def stores(lite: Lite) -> AsyncIterator[Stores]:
    url = f"s2://contracts/{next(_rooms)}?endpoint={lite.url}"
    async with open_memory() as memory, open_s2(url, memory, Chance()) as opened:
        yield opened


class TestStreams(StreamsContract): ...


class TestRevisions(RevisionsContract): ...


class TestMending(MendingContract): ...
