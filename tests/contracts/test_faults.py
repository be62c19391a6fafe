"""A store with a fault built in is a store in every other respect, and fails as it says."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from headrace.backends.memory import open_memory
from headrace.errors import Unavailable
from headrace.ports import Delivering, Order, Stores
from headrace.testing.contracts.given import (
    APPROVAL,
    draft,
    executing,
    filled,
    queued,
    remembered,
)
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
    RevisionsContract,
    RunsContract,
    SnapshotsContract,
    StreamsContract,
    WaitpointsContract,
    WakeupsContract,
)
from headrace.testing.faults import Bug, Crash, FailingStreams, Fault, Faults, failing


@pytest.fixture
async def sound() -> AsyncIterator[Stores]:
    async with open_memory() as opened:
        yield opened


@pytest.fixture
def stores(sound: Stores) -> Stores:
    return failing(sound, Fault(at=0))[0]


class TestRuns(RunsContract): ...


class TestRevisions(RevisionsContract): ...


class TestSnapshots(SnapshotsContract): ...


class TestMending(MendingContract): ...


class TestCreating(CreatingContract): ...


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


@pytest.mark.parametrize("landed", [False, True])
@pytest.mark.parametrize("bug", [False, True])
async def test_a_write_that_fails_has_landed_or_not_and_the_next_works(
    sound: Stores, *, landed: bool, bug: bool
) -> None:
    run = await executing(sound)
    stores, faults = failing(sound, Fault(at=2, landed=landed, bug=bug))
    await filled(stores, run, 1)
    with pytest.raises(Bug if bug else Unavailable):
        await stores.streams.append(draft(run, 1))
    tail = (await stores.streams.backlog(run.id, APPROVAL, 0)).tail
    assert tail == 1 + landed
    await stores.streams.append(draft(run, tail))
    assert faults.writes == 3


@pytest.mark.parametrize("landed", [False, True])
async def test_after_a_crash_nothing_works_any_more(sound: Stores, *, landed: bool) -> None:
    run = await executing(sound)
    stores, faults = failing(sound, Fault(at=1, landed=landed, crash=True))
    change = remembered(run, "/a#0")
    with pytest.raises(Crash):
        await stores.runs.commit(change)
    assert await sound.runs.load(run.id) == (change.after if landed else run)
    with pytest.raises(Crash):
        await stores.runs.load(run.id)
    with pytest.raises(Crash):
        await stores.runs.create(queued("run-2"), Order())
    assert await sound.runs.load(queued("run-2").id) is None
    assert faults.is_dead


async def test_a_store_that_cannot_deliver_does_not_learn_it(sound: Stores) -> None:
    assert isinstance(failing(sound, Fault(at=0))[0].streams, Delivering)
    poor = replace(sound, streams=FailingStreams(sound.streams, Faults(Fault(at=0))))
    assert not isinstance(failing(poor, Fault(at=0))[0].streams, Delivering)
