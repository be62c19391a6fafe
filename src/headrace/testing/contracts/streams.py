"""What every `Streams` promises: a durable, ordered log per (run, name), without gaps."""

from __future__ import annotations

import asyncio

import pytest

from headrace.errors import NotFound
from headrace.kernel.model import Record, RunId, StreamId, inward, later, outward
from headrace.ports import Appended, Backlog, Clash, Stores
from headrace.testing.contracts.given import (
    APPROVAL,
    BODIES,
    T0,
    draft,
    executing,
    filled,
    queued,
)


class StreamsContract:
    """Appending, reading, repeats, backlog."""

    async def test_records_are_read_in_order_without_gaps(self, stores: Stores) -> None:
        run = await executing(stores)
        await filled(stores, run, 12)
        read = await stores.streams.read(run.id, APPROVAL, 0, 100)
        assert read == [Record(n, str(n).encode(), later(T0, n)) for n in range(12)]
        assert await stores.streams.read(run.id, APPROVAL, 3, 2) == list(read[3:5])
        assert await stores.streams.read(run.id, APPROVAL, 12, 5) == []
        assert await stores.streams.read(run.id, APPROVAL, 0, 0) == []

    async def test_only_the_next_number_can_be_appended(self, stores: Stores) -> None:
        run = await executing(stores)
        with pytest.raises(Clash):
            await stores.streams.append(draft(run, 1))
        await filled(stores, run, 3)
        for seq in (0, 2, 4, 100):
            with pytest.raises(Clash):
                await stores.streams.append(draft(run, seq, b"other"))
        assert [r.body for r in await stores.streams.read(run.id, APPROVAL, 0, 9)] == [
            b"0",
            b"1",
            b"2",
        ]

    async def test_of_many_at_one_number_one_lands(self, stores: Stores) -> None:
        run = await executing(stores)
        outcomes = await asyncio.gather(
            *[stores.streams.append(draft(run, 0, str(n).encode())) for n in range(20)],
            return_exceptions=True,
        )
        landed = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, Clash)]
        read = await stores.streams.read(run.id, APPROVAL, 0, 100)
        assert [record.body for record in read] == [str(n).encode() for n in landed]
        assert len(landed) == 1

    async def test_the_same_key_gives_the_same_number(self, stores: Stores) -> None:
        run = await executing(stores)
        for seq, key in enumerate((b"a", b"b", b"c")):
            await stores.streams.append(draft(run, seq, key=key, digest=b"d" + key))
        for seq in (1, 3, 9):
            again = await stores.streams.append(draft(run, seq, key=b"b", digest=b"db"))
            assert again == Appended(1, duplicate=True)
        other = await stores.streams.append(draft(run, 3, b"2", key=b"b", digest=b"x"))
        assert other == Appended(1, duplicate=True, same=False)
        assert (await stores.streams.backlog(run.id, APPROVAL, 0)).count == 3

    async def test_of_many_repeats_at_once_one_lands(self, stores: Stores) -> None:
        run = await executing(stores)
        answers = await asyncio.gather(
            *[stores.streams.append(draft(run, 0, key=b"click", digest=b"d")) for _ in range(20)]
        )
        assert sum(not answer.duplicate for answer in answers) == 1
        assert {answer.seq for answer in answers} == {0}

    async def test_records_without_a_key_are_no_repeats(self, stores: Stores) -> None:
        run = await executing(stores)
        assert await stores.streams.append(draft(run, 0, digest=b"d")) == Appended(0)
        assert await stores.streams.append(draft(run, 1, digest=b"d")) == Appended(1)
        assert await stores.streams.known(run.id, APPROVAL, b"") is None

    async def test_keys_count_within_one_stream_of_one_run(self, stores: Stores) -> None:
        first, second = await executing(stores, "run-1"), await executing(stores, "run-2")
        for stream in (inward("a"), outward("a"), inward("b")):
            for run in (first, second):
                answer = await stores.streams.append(draft(run, 0, key=b"k", stream=stream))
                assert answer == Appended(0)

    async def test_a_known_key_is_found_with_its_digest(self, stores: Stores) -> None:
        run = await executing(stores)
        keys = [b"k", b"\x00\xff" * 50, "é".encode()]
        for seq, key in enumerate(keys):
            await stores.streams.append(draft(run, seq, key=key, digest=b"d"))
        for seq, key in enumerate(keys):
            record = await stores.streams.known(run.id, APPROVAL, key)
            assert record is not None
            assert (record.seq, record.key, record.digest) == (seq, key, b"d")
            assert record.at == later(T0, seq)
        assert await stores.streams.known(run.id, APPROVAL, b"nobody's") is None
        assert await stores.streams.known(run.id, inward("other"), b"k") is None
        assert await stores.streams.known(RunId("nobody"), APPROVAL, b"k") is None

    async def test_bodies_of_any_size_are_kept(self, stores: Stores) -> None:
        run = await executing(stores)
        for seq, body in enumerate(BODIES):
            await stores.streams.append(draft(run, seq, body, key=b"%d" % seq, digest=b"d"))
        read = await stores.streams.read(run.id, APPROVAL, 0, 100)
        assert [record.body for record in read] == list(BODIES)
        sizes = [len(body) for body in BODIES]
        assert await stores.streams.backlog(run.id, APPROVAL, 0) == Backlog(
            len(sizes), len(sizes), sum(sizes)
        )

    async def test_the_backlog_counts_from_any_number(self, stores: Stores) -> None:
        run = await executing(stores)
        assert await stores.streams.backlog(run.id, APPROVAL, 0) == Backlog()
        await filled(stores, run, 12)  # the last two have two digits
        assert await stores.streams.backlog(run.id, APPROVAL, 0) == Backlog(12, 12, 14)
        assert await stores.streams.backlog(run.id, APPROVAL, 9) == Backlog(12, 3, 5)
        assert await stores.streams.backlog(run.id, APPROVAL, 11) == Backlog(12, 1, 2)
        for beyond in (12, 13, 99):
            assert await stores.streams.backlog(run.id, APPROVAL, beyond) == Backlog(12)

    async def test_the_ends_are_those_of_all_streams_that_hold_a_record(
        self, stores: Stores
    ) -> None:
        first, second = await executing(stores, "run-1"), await executing(stores, "run-2")
        assert await stores.streams.ends(first.id) == {}
        names = ["b", "a", "é 😀", "a:b", 'a"b']
        streams = [outward("b"), *map(inward, names)]
        for count, stream in enumerate(streams, start=9):
            await filled(stores, first, count, stream)
        await filled(stores, second, 1, inward("c"))
        ends = await stores.streams.ends(first.id)
        assert ends == {s: await stores.streams.backlog(first.id, s, 0) for s in streams}
        assert ends[outward("b")] == Backlog(9, 9, 9)
        assert ends[inward("a")] == Backlog(11, 11, 12)
        assert await stores.streams.ends(second.id) == {inward("c"): Backlog(1, 1, 1)}
        assert await stores.streams.ends(RunId("nobody")) == {}

    async def test_no_stream_is_mistaken_for_another(self, stores: Stores) -> None:
        places = [("a", "b:c"), ("a:b", "c"), ("a", "b"), ("\u00e9", "b"), ("e\u0301", "b")]
        runs = {name: await executing(stores, name) for name in dict(places)}
        for n, (name, stream) in enumerate(places):
            body = str(n).encode()
            await stores.streams.append(draft(runs[name], 0, body, stream=StreamId(stream)))
        for n, (name, stream) in enumerate(places):
            read = await stores.streams.read(RunId(name), StreamId(stream), 0, 9)
            assert [record.body for record in read] == [str(n).encode()]

    async def test_without_a_run_there_is_no_stream(self, stores: Stores) -> None:
        with pytest.raises(NotFound):
            await stores.streams.append(draft(queued("nobody"), 0))
        assert await stores.streams.read(RunId("nobody"), APPROVAL, 0, 9) == []
        assert await stores.streams.backlog(RunId("nobody"), APPROVAL, 0) == Backlog()
