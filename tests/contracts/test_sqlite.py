"""SQLite keeps every port's promise."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headrace.backends.sqlite import Settings, open_sqlite
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
    SnapshotsContract,
    StreamsContract,
    TakenContract,
    TallyingContract,
    WaitpointsContract,
    WakeupsContract,
)


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_sqlite(tmp_path / "headrace.db", settings=Settings(wal_pages=100)) as opened:
        yield opened


@pytest.fixture
async def twin(stores: Stores, tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_sqlite(tmp_path / "headrace.db", settings=Settings(wal_pages=100)) as opened:
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


class TestTallying(TallyingContract): ...


class TestLeases(LeasesContract): ...


class TestCatalog(CatalogContract): ...


class TestWaitpoints(WaitpointsContract): ...


class TestWakeups(WakeupsContract): ...


class TestBlobs(BlobsContract): ...


class TestCredentials(CredentialsContract): ...


class TestShared(SharedContract): ...
