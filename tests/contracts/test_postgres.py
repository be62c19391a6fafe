"""Postgres keeps every port's promise."""

from collections.abc import AsyncIterator

import pytest

from headrace.backends.postgres import open_postgres
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
    SharedContract,
    SightingContract,
    SnapshotsContract,
    StreamsContract,
    TakenContract,
    TallyingContract,
    WaitpointsContract,
    WakeupsContract,
)

pytestmark = pytest.mark.timeout(60)  # some commit 6,000 times, one after the other


@pytest.fixture
async def stores(database: str) -> AsyncIterator[Stores]:
    async with open_postgres(database) as opened:
        yield opened


@pytest.fixture
async def twin(stores: Stores, database: str) -> AsyncIterator[Stores]:
    async with open_postgres(database) as opened:
        yield opened


class TestRuns(RunsContract): ...


class TestRevisions(RevisionsContract): ...


class TestSnapshots(SnapshotsContract): ...


class TestMending(MendingContract): ...


class TestNotebook(NotebookContract): ...


class TestPostponing(PostponingContract): ...


class TestTaken(TakenContract): ...


class TestCreating(CreatingContract): ...


class TestClaiming(ClaimingContract): ...


class TestFinding(FindingContract): ...


class TestStreams(StreamsContract): ...


class TestDelivering(DeliveringContract): ...


class TestTallying(TallyingContract): ...


class TestSighting(SightingContract): ...


class TestLeases(LeasesContract): ...


class TestCatalog(CatalogContract): ...


class TestWaitpoints(WaitpointsContract): ...


class TestWakeups(WakeupsContract): ...


class TestBlobs(BlobsContract): ...


class TestCredentials(CredentialsContract): ...


class TestShared(SharedContract): ...
