"""What every `Api` promises about writing to output streams from outside."""

from __future__ import annotations

from contextlib import aclosing

import anyio
import msgspec
import pytest

from headrace.errors import BadRequest, BadValue, KeyReused, NotFound, RunIsOver, TooLarge
from headrace.ports import Api
from headrace.testing.contracts.declared import Declared, order
from headrace.testing.contracts.puppet import PATIENCE_S, Puppet, working
from headrace.wire.channel import Emitted, Started, Told
from headrace.wire.registration import Registration, StreamSpec, TaskSpec

MIB = 1_048_576


async def values_of(api: Api, run: str, stream: str, count: int) -> list[bytes]:
    """Return the first values of an output stream, once they are there."""
    with anyio.fail_after(PATIENCE_S):
        async with aclosing(api.tail(run, stream, inward=False)) as records:
            return [bytes((await anext(records)).data) for _ in range(count)]


def numbers(start: int, end: int) -> list[bytes]:
    """Return numbers as JSON text."""
    return [b"%d" % number for number in range(start, end)]


async def child_of(puppet: Puppet, run: str) -> str:
    """Have a run start another; return that one."""
    epoch = (await puppet.assigned(run)).epoch
    puppet.post(Started(run, epoch, "0/start#0", "publish", b'{"payload":1}'))
    (entry,) = (await puppet.pushed(Told, run)).entries
    return str(msgspec.json.decode(entry.body, type=dict[str, str | bool])["id"])


class OutputsApiContract(Declared):
    """Writing."""

    async def test_what_is_written_is_read_in_its_order(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        await known.write(run, "words", [b'"a"', b"null"])
        await known.write(run, "words", [b'{"b":1}'])
        assert await values_of(known, run, "words", 3) == [b'"a"', b"null", b'{"b":1}']

    async def test_a_writer_s_value_is_there_once(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        assert await known.written(run, "words", writer="w") == 0
        await known.write(run, "words", numbers(0, 5), writer="w")
        await known.write(run, "words", numbers(0, 5), writer="w")
        await known.write(run, "words", numbers(3, 7), writer="w", first=3)
        assert await known.written(run, "words", writer="w") == 7
        assert await values_of(known, run, "words", 7) == numbers(0, 7)

    async def test_any_count_is_told(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        for count in range(10):
            assert await known.written(run, "words", writer="w") == count
            await known.write(run, "words", [b"%d" % count], writer="w", first=count)

    async def test_writers_and_streams_and_runs_are_apart(self, known: Api) -> None:
        run, other = [(await known.trigger("publish", order())).id for _ in range(2)]
        await known.write(run, "words", [b"1"], writer="a")
        await known.write(run, "words", [b"2"], writer="b")
        await known.write(run, "lines", [b"3"], writer="a")
        await known.write(other, "words", [b"4"], writer="a")
        assert await values_of(known, run, "words", 2) == [b"1", b"2"]
        assert await values_of(known, run, "lines", 1) == [b"3"]
        assert await values_of(known, other, "words", 1) == [b"4"]

    async def test_without_a_writer_every_value_is_appended(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        await known.write(run, "words", [b"1"])
        await known.write(run, "words", [b"1"])
        assert await values_of(known, run, "words", 2) == [b"1", b"1"]
        assert await known.written(run, "words", writer="w") == 0

    async def test_another_body_and_a_gap_are_refused_whole(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        await known.write(run, "words", numbers(0, 3), writer="w")
        with pytest.raises(KeyReused):
            await known.write(run, "words", [b"0", b"9", b"2", b"3"], writer="w")
        with pytest.raises(BadRequest):
            await known.write(run, "words", [b"4"], writer="w", first=4)
        with pytest.raises(BadRequest):
            await known.write(run, "words", [b"1"], writer="v", first=1)
        assert await known.written(run, "words", writer="w") == 3
        assert await known.written(run, "words", writer="v") == 0

    async def test_many_write_at_once(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id

        async def write(writer: str) -> None:
            for number in range(10):
                text = msgspec.json.encode([writer, number])
                await known.write(run, "words", [text], writer=writer, first=number)

        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as group:
                for writer in ("a", "b", "c"):
                    group.start_soon(write, writer)
        texts = await values_of(known, run, "words", 30)
        found = [msgspec.json.decode(text, type=tuple[str, int]) for text in texts]
        assert sorted(found) == [(writer, number) for writer in "abc" for number in range(10)]
        for writer in "abc":
            assert [n for w, n in found if w == writer] == list(range(10))

    async def test_the_run_and_others_write_to_one_stream(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            epoch = (await puppet.assigned(run)).epoch
            await known.write(run, "progress", [b"1"], writer="w")
            puppet.post(Emitted(run, epoch, "progress", "0/progress#0/0", b"2"))
            assert await values_of(known, run, "progress", 2) == [b"1", b"2"]

    async def test_a_run_that_is_over_takes_nothing_new(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        await known.write(run, "words", [b"1"], writer="w")
        await known.cancel(run)
        with pytest.raises(RunIsOver):
            await known.write(run, "words", [b"2"], writer="w", first=1)
        with pytest.raises(RunIsOver):
            await known.write(run, "words", [])
        await known.write(run, "words", [b"1"], writer="w")
        assert await known.written(run, "words", writer="w") == 1

    async def test_a_declared_stream_takes_what_fits(self, known: Api) -> None:
        await known.register(
            Registration(
                version="2",
                tasks=(TaskSpec(id="publish"),),
                streams=(StreamSpec(name="counts", inward=False, schema=b'{"type":"integer"}'),),
            )
        )
        run = (await known.trigger("publish", order())).id
        with pytest.raises(BadValue):
            await known.write(run, "counts", [b"1", b'"two"'], writer="w")
        await known.write(run, "counts", [b"1"], writer="w")
        assert await values_of(known, run, "counts", 1) == [b"1"]

    async def test_who_is_unknown_is_not_found_and_what_is_too_large_refused(
        self, known: Api
    ) -> None:
        run = (await known.trigger("publish", order())).id
        with pytest.raises(NotFound):
            await known.write("run_nobody", "words", [b"1"])
        with pytest.raises(NotFound):
            await known.written("run_nobody", "words", writer="w")
        with pytest.raises(TooLarge):
            await known.write(run, "words", [b'"' + b"x" * (MIB - 1) + b'"'])
        with pytest.raises(BadRequest):
            await known.write(run, "x" * 129, [b"1"])
        await known.write(run, "words", [b'"' + b"x" * (MIB - 2) + b'"'])

    async def test_parent_and_root_are_those_that_started_the_run(self, known: Api) -> None:
        top = (await known.trigger("publish", order())).id
        with pytest.raises(NotFound):
            await known.write(top, "words", [b"0"], target="parent")
        with pytest.raises(NotFound):
            await known.written(top, "words", writer="w", target="root")
        async with working(known, "publish") as puppet:
            middle = await child_of(puppet, top)
            below = await child_of(puppet, middle)
            await known.write(below, "words", [b"1"], writer="w", target="parent")
            await known.write(below, "words", [b"2"], writer="w", target="root")
            await known.write(below, "words", [b"3"], writer="w")
            assert await known.written(below, "words", writer="w", target="parent") == 1
        assert await values_of(known, middle, "words", 1) == [b"1"]
        assert await values_of(known, top, "words", 1) == [b"2"]
        assert await values_of(known, below, "words", 1) == [b"3"]
