"""The memory backend keeps every port's promise."""

from collections.abc import AsyncIterator

import pytest

from headrace.backends.clocks import CarriedClock
from headrace.backends.memory import open_memory
from headrace.backends.memory.waitmap import MemoryWaitMap
from headrace.kernel.model import Instant
from headrace.ports import Stores
from headrace.ports.waitmap import WaitMap
from headrace.testing.contracts.stores import (
    BlobsContract,
    CatalogContract,
    ClaimingContract,
    CreatingContract,
    CredentialsContract,
    DeliveringContract,
    FindingContract,
    LeasesContract,
    MendingContract,
    NotebookContract,
    PostponingContract,
    RevisionsContract,
    RunsContract,
    SnapshotsContract,
    StreamsContract,
    TakenContract,
    TallyingContract,
    WaitMapContract,
    WaitpointsContract,
    WakeupsContract,
)


@pytest.fixture
async def stores() -> AsyncIterator[Stores]:
    async with open_memory() as opened:
        yield opened


@pytest.fixture
def clock() -> CarriedClock:
    return CarriedClock(Instant(1_700_000_000_000))


@pytest.fixture
def waitmap(clock: CarriedClock) -> WaitMap:
    return MemoryWaitMap(clock)


class TestRuns(RunsContract): ...


class TestRevisions(RevisionsContract): ...


class TestSnapshots(SnapshotsContract): ...


class TestMending(MendingContract): ...


class TestNotebook(NotebookContract): ...


class TestTaken(TakenContract): ...


class TestCreating(CreatingContract): ...


class TestPostponing(PostponingContract): ...


class TestClaiming(ClaimingContract): ...


class TestFinding(FindingContract): ...


class TestStreams(StreamsContract): ...


class TestDelivering(DeliveringContract): ...


class TestTallying(TallyingContract): ...


class TestLeases(LeasesContract): ...


class TestCatalog(CatalogContract): ...


class TestWaitpoints(WaitpointsContract): ...


class TestWakeups(WakeupsContract): ...


class TestWaitMap(WaitMapContract): ...


class TestBlobs(BlobsContract): ...


class TestCredentials(CredentialsContract): ...
