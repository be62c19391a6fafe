"""The memory backend keeps every port's promise."""

from collections.abc import AsyncIterator

import pytest

from headrace.backends.memory import open_memory
from headrace.ports import Stores
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
    WaitpointsContract,
    WakeupsContract,
)


@pytest.fixture
async def stores() -> AsyncIterator[Stores]:
    async with open_memory() as opened:
        yield opened


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


class TestLeases(LeasesContract): ...


class TestCatalog(CatalogContract): ...


class TestWaitpoints(WaitpointsContract): ...


class TestWakeups(WakeupsContract): ...


class TestBlobs(BlobsContract): ...


class TestCredentials(CredentialsContract): ...
