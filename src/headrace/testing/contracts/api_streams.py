"""What every `Api` promises about sending to streams and reading them."""

from __future__ import annotations

from contextlib import aclosing

import anyio
import pytest

from headrace.errors import BadValue, KeyReused, NotFound, RunIsOver, TooLarge
from headrace.ports import Api
from headrace.testing.contracts.declared import Declared, order
from headrace.testing.contracts.puppet import PATIENCE_S, working
from headrace.wire.channel import (
    Completed,
    Emit,
    Emitted,
)

MIB = 1_048_576


class StreamsApiContract(Declared):
    """Sending, reading."""

    # --- sending -------------------------------------------------------------------------------

    async def test_records_are_numbered_in_the_order_of_their_receipts(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        receipts = [await known.send(run, "notes", f'"{n}"'.encode()) for n in range(3)]
        assert [receipt.seq for receipt in receipts] == [0, 1, 2]
        assert not any(receipt.duplicate or receipt.resumed for receipt in receipts)
        assert (await known.retrieve(run)).unread == {"notes": 3}

    async def test_the_same_key_gives_the_same_receipt(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        await known.send(run, "notes", b"0")
        one = await known.send(run, "notes", b"1", key="click ä")
        two = await known.send(run, "notes", b"1", key="click ä")
        assert (one.seq, one.duplicate) == (1, False)
        assert (two.seq, two.duplicate) == (1, True)
        with pytest.raises(KeyReused):
            await known.send(run, "notes", b"2", key="click ä")

    async def test_keys_of_callers_and_of_requests_are_a_space_apart(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        one = await known.send(run, "notes", b"1", request_key="k")
        repeat = await known.send(run, "notes", b"1", request_key="k")
        other = await known.send(run, "notes", b"2", key="k")
        assert (one.seq, repeat.seq, repeat.duplicate) == (0, 0, True)
        assert (other.seq, other.duplicate) == (1, False)

    async def test_a_known_key_is_answered_when_the_run_is_over(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        one = await known.send(run, "notes", b"1", key="k")
        await known.cancel(run)
        two = await known.send(run, "notes", b"1", key="k")
        assert (two.seq, two.duplicate) == (one.seq, True)
        with pytest.raises(RunIsOver):
            await known.send(run, "notes", b"1", key="l")

    async def test_a_value_that_does_not_fit_is_refused_with_its_place(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        with pytest.raises(BadValue, match="boolean") as refused:
            await known.send(run, "approval", b'{"approved":"yes"}')
        assert refused.value.path == "/approved"
        assert (await known.retrieve(run)).unread == {}

    async def test_who_and_what_is_unknown_is_not_found(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        with pytest.raises(NotFound, match="run_nobody"):
            await known.send("run_nobody", "notes", b"1")
        with pytest.raises(NotFound, match="unheard"):
            await known.send(run, "unheard", b"1")
        with pytest.raises(NotFound):
            await anext(known.tail("run_nobody", "notes", inward=True))

    async def test_a_mebibyte_is_accepted_and_a_byte_more_is_not(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        most = b'"' + b"x" * (MIB - 2) + b'"'
        assert (await known.send(run, "notes", most)).seq == 0
        with pytest.raises(TooLarge):
            await known.send(run, "notes", b'"' + b"x" * (MIB - 1) + b'"')

    # --- reading -------------------------------------------------------------------------------

    async def test_a_tail_begins_where_it_is_told_and_ends_with_the_run(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        for n in range(3):
            await known.send(run, "notes", str(n).encode())
        with anyio.fail_after(PATIENCE_S):
            async with aclosing(known.tail(run, "notes", inward=True, start=1)) as records:
                first = await anext(records)
                await known.send(run, "notes", b'"last"')
                await known.cancel(run)
                rest = [record async for record in records]
        assert [(r.seq, bytes(r.data)) for r in (first, *rest)] == [
            (1, b"1"),
            (2, b"2"),
            (3, b'"last"'),
        ]
        assert len({record.id for record in (first, *rest)}) == 3

    async def test_output_is_read_while_it_is_written(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with (
            working(known, "publish") as puppet,
            aclosing(known.tail(run, "progress", inward=False)) as records,
        ):
            epoch = (await puppet.assigned(run)).epoch
            for n in range(2):
                puppet.post(Emitted(run, epoch, "progress", f"0/progress#0/{n}", str(n).encode()))
            puppet.post(Emitted(run, epoch, "progress", "0/progress#0/1", b"1"))
            assert (await puppet.pushed(Emit, run)).key == "0/progress#0/0"
            with anyio.fail_after(PATIENCE_S):
                read = [await anext(records), await anext(records)]
                puppet.post(Completed(run, epoch, b""))
                read += [record async for record in records]
        assert [(record.seq, bytes(record.data)) for record in read] == [(0, b"0"), (1, b"1")]
