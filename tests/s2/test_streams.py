"""Streams in S2 beyond the port's contract: long bodies, lives of a run, deleting, forgetting."""

from __future__ import annotations

import pytest

from headrace.backends.s2.log import Log, Logs
from headrace.backends.s2.records import LONGEST, Stored, hash_of
from headrace.backends.s2.streams import S2Streams
from headrace.errors import NotFound, Unavailable
from headrace.kernel.evolve import evolve
from headrace.kernel.model import Run, RunId, inward, outward
from headrace.ports import Appended, Backlog, Clash, Draft, Extending, Stores
from headrace.testing.contracts.given import (
    APPROVAL,
    MEBIBYTE,
    T0,
    draft,
    executing,
    filled,
    queued,
)
from tests.s2.standin import Fault, StandIn, ack_lost, call_lost

NAME = "runs/run-1/in/approval"


async def test_a_long_body_is_kept_beside(stores: Stores, twin: Stores, fake: StandIn) -> None:
    run = await executing(stores)
    bodies = [b"short", b"x" * LONGEST, b"y" * (LONGEST + 1), b"z" * MEBIBYTE, b"short"]
    for seq, body in enumerate(bodies):
        await stores.streams.append(draft(run, seq, body))
    kept = [len(record.body) for record in fake.records(NAME)]
    assert kept == [5, LONGEST, 0, 0, 5]
    hashed = [h.value for r in fake.records(NAME) for h in r.headers if h.name == b"hash"]
    assert hashed == [hash_of(body).encode() for body in bodies[2:4]]
    for one in (stores, twin):
        read = await one.streams.read(run.id, APPROVAL, 0, 9)
        assert [record.body for record in read] == bodies
        sizes = [len(body) for body in bodies]
        assert await one.streams.backlog(run.id, APPROVAL, 0) == Backlog(5, 5, sum(sizes))
        assert await one.streams.backlog(run.id, APPROVAL, 3) == Backlog(5, 2, sum(sizes[3:]))


async def test_a_long_body_that_is_damaged_is_told_of(stores: Stores) -> None:
    run, body = await executing(stores), b"z" * MEBIBYTE
    await stores.streams.append(draft(run, 0, body))
    await stores.blobs.put(f"s2/{NAME}/{hash_of(body)}", body[:-1])
    with pytest.raises(Unavailable, match="is damaged, or gone"):
        await stores.streams.read(run.id, APPROVAL, 0, 1)


async def test_no_earlier_life_writes_after_a_later_one(stores: Stores, twin: Stores) -> None:
    """A worker that has lost its lease, at a server that has not heard of it."""
    run, tokens = await executing(stores), outward("tokens")
    first = draft(run, 0, b"1", stream=tokens)
    for seq, epoch in ((0, 1), (1, 3)):
        later = evolve(first, seq=seq, epoch=epoch)
        assert await stores.streams.append(later) == Appended(seq)
    for one in (twin, stores):
        with pytest.raises(Clash):
            await one.streams.append(evolve(first, seq=2, epoch=2))
    assert await twin.streams.append(evolve(first, seq=2, epoch=3)) == Appended(2)


async def test_anybody_sends_whatever_life_they_know_of(stores: Stores) -> None:
    run = await executing(stores)
    for seq, epoch in ((0, 3), (1, 1)):
        assert await stores.streams.append(evolve(draft(run, seq), epoch=epoch)) == Appended(seq)


async def test_a_run_is_dropped_whole(stores: Stores, twin: Stores, fake: StandIn) -> None:
    first, second = await executing(stores, "run-1"), await executing(stores, "run-10")
    long = "s" * 128 + "\U0001f600" * 128
    for run in (first, second):
        for stream in (APPROVAL, outward("tokens"), inward(long)):
            await filled(stores, run, 3, stream)
    await stores.streams.append(draft(first, 3, b"z" * MEBIBYTE))
    assert isinstance(twin.streams, S2Streams)
    await twin.streams.drop(first.id)
    await twin.streams.drop(first.id)
    await twin.streams.drop(RunId("nobody"))
    assert await twin.streams.ends(first.id) == {}
    assert await twin.streams.read(first.id, APPROVAL, 0, 9) == []
    assert await twin.blobs.get(f"s2/{NAME}/{hash_of(b'z' * MEBIBYTE)}") is None
    assert len(await stores.streams.ends(second.id)) == 3
    (basin,) = fake.basins.values()
    assert all(name.startswith("runs/run-10/") for name in basin.streams)


async def test_names_that_are_too_long_for_s2_are_told_back(stores: Stores, twin: Stores) -> None:
    run = await executing(stores)
    names = ["\U0001f600" * 128, "\U0001f600" * 127 + "x", "/" * 400, "%2f", "a/b", "#", "..", "é"]
    streams = [kind(name) for name in names for kind in (inward, outward)]
    for count, stream in enumerate(streams, start=1):
        await filled(stores, run, count, stream)
    for one in (stores, twin):
        ends = await one.streams.ends(run.id)
        assert {stream: end.tail for stream, end in ends.items()} == {
            stream: count for count, stream in enumerate(streams, start=1)
        }


async def test_without_a_run_nothing_is_made(stores: Stores, fake: StandIn) -> None:
    with pytest.raises(NotFound):
        await stores.streams.append(draft(queued("nobody"), 0))
    await stores.streams.backlog(RunId("nobody"), APPROVAL, 0)
    assert "append" not in fake.requests
    (basin,) = fake.basins.values()
    assert basin.streams == {}


async def test_what_stands_is_not_asked_for_again(stores: Stores, fake: StandIn) -> None:
    run = await executing(stores)
    for seq in range(3):
        await stores.streams.append(draft(run, seq, key=b"%d" % seq))
    assert fake.requests.count("append") == 3
    assert "read" not in fake.requests
    await stores.streams.append(draft(run, 9, key=b"1"))
    found = await stores.streams.known(run.id, APPROVAL, b"1")
    assert found is not None
    assert "read" not in fake.requests


async def test_to_weigh_a_long_stream_is_to_read_its_last_record(
    stores: Stores, twin: Stores, fake: StandIn
) -> None:
    run = await executing(stores)
    await filled(stores, run, 12)
    fake.requests.clear()
    assert await twin.streams.backlog(run.id, APPROVAL, 0) == Backlog(12, 12, 14)
    assert fake.requests == ["read"]


async def test_a_stream_that_is_known_is_weighed_by_what_was_added(
    stores: Stores, twin: Stores, fake: StandIn
) -> None:
    run = await executing(stores)
    await filled(stores, run, 3)
    await twin.streams.append(draft(run, 3, b"four"))
    fake.requests.clear()
    assert await stores.streams.backlog(run.id, APPROVAL, 0) == Backlog(4, 4, 7)
    assert (await stores.streams.ends(run.id))[APPROVAL] == Backlog(4, 4, 7)
    assert fake.requests == ["read", "read", "list", "read"]  # until there is no more
    assert (await stores.streams.read(run.id, APPROVAL, 3, 1))[0].body == b"four"
    assert len(fake.requests) == 4  # it is known by now


async def test_whether_a_key_is_taken_is_one_read(
    stores: Stores, twin: Stores, fake: StandIn
) -> None:
    run = await executing(stores)
    await stores.streams.append(draft(run, 0, key=b"one"))
    await twin.streams.append(draft(run, 1, key=b"two"))
    fake.requests.clear()
    assert await stores.streams.known(run.id, APPROVAL, b"new") is None
    assert fake.requests == ["read"]
    await stores.streams.append(draft(run, 2, key=b"new"))
    found = await stores.streams.known(run.id, APPROVAL, b"two")
    assert found is not None
    assert found.seq == 1
    assert fake.requests == ["read", "append"]


async def test_who_reads_one_after_another_asks_rarely(
    stores: Stores, twin: Stores, fake: StandIn
) -> None:
    run = await executing(stores)
    await filled(stores, run, 70)
    fake.requests.clear()
    read = [(await twin.streams.read(run.id, APPROVAL, seq, 1))[0] for seq in range(70)]
    assert [record.seq for record in read] == list(range(70))
    assert fake.requests == ["read"] * 4  # one, to see how long they are, and 32 at a time
    assert await twin.streams.read(run.id, APPROVAL, 70, 1) == []
    await stores.streams.append(draft(run, 70, b"new"))
    assert (await twin.streams.read(run.id, APPROVAL, 70, 1))[0].body == b"new"


async def test_long_records_are_not_read_ahead(stores: Stores, twin: Stores, fake: StandIn) -> None:
    run = await executing(stores)
    for seq in range(4):
        await stores.streams.append(draft(run, seq, b"%d" % seq * 100_000))
    fake.requests.clear()
    for seq in range(4):
        assert (await twin.streams.read(run.id, APPROVAL, seq, 1))[0].seq == seq
    assert fake.requests == ["read"] * 4


async def test_a_stream_longer_than_an_answer_is_read_whole(stores: Stores, twin: Stores) -> None:
    run = await executing(stores)
    for seq in range(7):
        await stores.streams.append(draft(run, seq, b"%d" % seq * 300_000, key=b"%d" % seq))
    read = await twin.streams.read(run.id, APPROVAL, 0, 100)
    assert [record.body[:1] for record in read] == [b"%d" % n for n in range(7)]
    assert await twin.streams.append(draft(run, 7, key=b"0")) == Appended(
        0, duplicate=True, same=True
    )


# --- what is remembered --------------------------------------------------------------------------


def stored(seq: int) -> Stored:
    return Stored(seq=seq, at=T0, by=b"me", below=seq, body=b"1", size=1, key=b"%d" % seq)


async def learned(logs: Logs, name: str, count: int) -> Log:
    async with logs.held(name) as log:
        for seq in range(log.tail, count):
            log.learn(stored(seq))
    return log


async def test_what_was_used_longest_ago_is_forgotten_whole() -> None:
    logs = Logs(keys_kept=10, logs_kept=100)
    for name in ("a", "b", "c"):
        await learned(logs, name, 4)
    assert [name for name in "abc" if logs.peek(name)] == ["b", "c"]
    assert (await learned(logs, "a", 0)).tail == 0


async def test_what_is_used_is_not_forgotten() -> None:
    logs = Logs(keys_kept=4, logs_kept=1)
    async with logs.held("a") as log:
        for seq in range(9):
            log.learn(stored(seq))
        await learned(logs, "b", 9)
        assert logs.peek("a") is log
    assert logs.peek("a") is None


async def test_knowledge_has_no_gaps() -> None:
    log = await learned(Logs(), "a", 2)
    with pytest.raises(Unavailable):
        log.learn(stored(3))
    with pytest.raises(Unavailable):
        log.learn(evolve(stored(2), below=7))
    assert log.tail == 2


# --- many at once --------------------------------------------------------------------------------


def many(run: Run, first: int, count: int, body: bytes = b"1") -> list[Draft]:
    return [draft(run, first + n, body, key=b"%d" % (first + n)) for n in range(count)]


async def test_many_are_appended_at_once(stores: Stores, twin: Stores, fake: StandIn) -> None:
    run = await executing(stores)
    assert isinstance(stores.streams, Extending)
    assert await stores.streams.extend(many(run, 0, 1_200)) == 1_000
    assert await stores.streams.extend(many(run, 1_000, 200)) == 200
    assert fake.requests.count("append") == 2
    assert await twin.streams.backlog(run.id, APPROVAL, 0) == Backlog(1_200, 1_200, 1_200)
    assert await twin.streams.backlog(run.id, APPROVAL, 1_100) == Backlog(1_200, 100, 100)


async def test_no_more_are_appended_at_once_than_s2_takes(stores: Stores, twin: Stores) -> None:
    run = await executing(stores)
    assert isinstance(stores.streams, Extending)
    drafts = [draft(run, n, b"%d" % n * size) for n, size in enumerate([LONGEST, MEBIBYTE, 9, 9])]
    counts = list[int]()
    while drafts:
        counts.append(await stores.streams.extend(drafts))
        drafts = drafts[counts[-1] :]
    assert sum(counts) == 4
    read = await twin.streams.read(run.id, APPROVAL, 0, 9)
    assert [len(record.body) for record in read] == [LONGEST, MEBIBYTE, 9, 9]


@pytest.mark.parametrize("fault", [ack_lost, call_lost])
async def test_many_that_are_lost_once_stand_once(
    stores: Stores, fake: StandIn, fault: Fault
) -> None:
    run = await executing(stores)
    assert isinstance(stores.streams, Extending)
    fake.fail_next("append", fault)
    assert await stores.streams.extend(many(run, 0, 5)) == 5
    assert (await stores.streams.backlog(run.id, APPROVAL, 0)).tail == 5


async def test_of_many_where_another_was_faster_none_stands(stores: Stores, twin: Stores) -> None:
    run = await executing(stores)
    assert isinstance(stores.streams, Extending)
    await filled(twin, run, 1)
    for drafts in (many(run, 0, 3), many(run, 0, 1)):
        with pytest.raises(Clash):
            await stores.streams.extend(drafts)
    assert await stores.streams.extend(many(run, 1, 2)) == 2
    with pytest.raises(Clash):
        await stores.streams.extend(many(run, 2, 3))
    repeated = [draft(run, 3, key=b"new"), draft(run, 4, key=b"1"), draft(run, 5, key=b"newer")]
    assert await stores.streams.extend(repeated) == 1
    assert (await twin.streams.backlog(run.id, APPROVAL, 0)).tail == 4
