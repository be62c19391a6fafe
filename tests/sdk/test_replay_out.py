"""What a run sends out, starts, shows and peeks at: once, whatever is replayed."""

import asyncio

import msgspec
import pytest

from headrace.errors import NotFound, OutsideRun, TooLarge
from headrace.kernel.model import inward, outward
from headrace.sdk.execution import require
from headrace.wire.channel import (
    Completed,
    Emit,
    Emitted,
    Note,
    Noted,
    Operation,
    Remembered,
    Sent,
    Standing,
    Started,
    Unread,
)
from headrace.wire.jsontext import MAX_DATA
from tests.sdk.branches import branch
from tests.sdk.played import EPOCH_NO, RUN, Play, entry_of, playing, step, take, wait


def durable(play: Play, key: str) -> None:
    play.life.receive(Emit(RUN, EPOCH_NO, key))


async def test_an_append_returns_when_it_is_durable() -> None:
    async def flow() -> None:
        run = require("emit")
        await run.emit(outward("tokens"), b'"a"', line="flow.py:1")
        await run.emit(outward("tokens"), b'"b"', line="flow.py:2")

    async with playing(flow) as play:
        assert await play.posted() == [
            Emitted(RUN, EPOCH_NO, "tokens", "append:tokens#0/0", b'"a"')
        ]
        durable(play, "append:tokens#0/0")
        assert await play.posted() == [
            Emitted(RUN, EPOCH_NO, "tokens", "append:tokens#1/0", b'"b"')
        ]


async def test_many_records_of_one_place_may_be_under_way() -> None:
    async def flow() -> None:
        outlet = require("emit").outlet(outward("tokens"))
        await asyncio.gather(*(outlet.put(b"%d" % n) for n in range(3)))

    async with playing(flow) as play:
        keys = [op.key for op in await play.posted() if isinstance(op, Emitted)]
        assert keys == [f"append:tokens#0/{n}" for n in range(3)]
        for key in reversed(keys):
            durable(play, key)
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b"null")]


async def test_replay_appends_under_the_same_keys_and_waits_for_none() -> None:
    async def flow() -> None:
        run = require("emit")
        await run.emit(outward("tokens"), b'"a"', line="flow.py:1")
        await wait("x")
        await run.emit(outward("tokens"), b'"b"', line="flow.py:2")

    async with playing(flow, take("x#0", b"1")) as play:
        # The second belongs to no past: it goes out behind the first, and is waited for.
        assert [op.key for op in await play.posted() if isinstance(op, Emitted)] == [
            "append:tokens#0/0",
            "append:tokens#1/0",
        ]
        durable(play, "append:tokens#0/0")
        assert await play.posted() == []
        durable(play, "append:tokens#1/0")
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b"null")]


async def test_diverged_code_has_appended_nothing() -> None:
    async def flow() -> None:
        await require("emit").emit(outward("tokens"), b'"wrong"', line="flow.py:1")
        await step("other")

    async with playing(flow, take("x#0", b"1")) as play:
        assert not any(isinstance(op, Emitted) for op in await play.posted())


async def test_an_append_that_is_refused_raises() -> None:
    async def flow() -> None:
        with pytest.raises(NotFound, match="no such stream"):
            await require("emit").emit(outward("tokens"), b"1", line="flow.py:1")

    async with playing(flow) as play:
        await play.posted()
        play.refuse("append:tokens#0/0", "not_found", "no such stream")
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b"null")]


async def start() -> bytes:
    run_id = await require("start").start("child", b'{"payload":1}', line="flow.py:3")
    return msgspec.json.encode(run_id)


async def test_a_child_is_started_once() -> None:
    body = b'{"id":"run_2","isCached":false}'
    async with playing(start) as live:
        assert await live.posted() == [
            Started(RUN, EPOCH_NO, "trigger:child#0", "child", b'{"payload":1}', line="flow.py:3")
        ]
        live.tell(entry_of("trigger:child#0", "trigger", body=body))
        assert await live.posted() == [Completed(RUN, EPOCH_NO, b'"run_2"')]
    async with playing(start, entry_of("trigger:child#0", "trigger", body=body)) as replayed:
        assert await replayed.posted() == [Completed(RUN, EPOCH_NO, b'"run_2"')]


async def test_a_refusal_that_was_recorded_is_raised_again() -> None:
    fault = b'{"message":"no task child","name":"NotFound","code":"not_found"}'

    async def flow() -> bytes:
        try:
            return await start()
        except NotFound as error:
            return msgspec.json.encode(str(error))

    entry = entry_of("trigger:child#0", "trigger", "failure", fault)
    async with playing(flow) as live:
        await live.posted()
        live.tell(entry)
        assert await live.posted() == [Completed(RUN, EPOCH_NO, b'"no task child"')]
    async with playing(flow, entry) as replayed:
        assert await replayed.posted() == [Completed(RUN, EPOCH_NO, b'"no task child"')]


async def test_a_message_is_sent_once_under_its_place_in_the_code() -> None:
    async def flow() -> bytes:
        return await require("send").send("run_9", "notes", b"1", key="k", line="flow.py:4")

    async with playing(flow) as play:
        (sent,) = await play.posted()
        assert isinstance(sent, Sent)
        assert (sent.key, sent.target, sent.stream, sent.body, sent.idempotency_key) == (
            "send:notes#0",
            "run_9",
            "notes",
            b"1",
            "k",
        )
        play.tell(entry_of("send:notes#0", "send", body=b'{"seq":4}'))
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b'{"seq":4}')]


async def test_metadata_goes_out_once_a_frame_and_not_on_replay() -> None:
    async def flow() -> None:
        run = require("note")
        run.note("progress", b"0.1")
        await wait("x")
        run.note("progress", b"0.2")
        run.note("progress", b"0.3")
        await wait("y")

    async with playing(flow, take("x#0", b"1"), metadata=b'{"owner":"alice"}') as play:
        assert [op for op in await play.posted() if isinstance(op, Noted)] == [
            Noted(RUN, EPOCH_NO, "progress", b"0.3", "0/progress", mark=(1, 0, 2))
        ]
        assert play.life.notepad.shown == {"owner": b'"alice"', "progress": b"0.3"}


def noted(posted: list[Operation]) -> list[tuple[str, str, bytes, tuple[int, ...]]]:
    """Return what was said of changes of metadata."""
    return [(op.kind, op.name, op.value, op.mark) for op in posted if isinstance(op, Noted)]


async def count() -> None:
    run = require("note")
    run.note("n", b"0")
    await wait("x")
    run.note("n", b"1", "increment")
    run.note("n", b"1", "increment")
    run.note("list", b'"a"', "append")
    await wait("y")
    run.note("n", b"5", "increment")
    await wait("z")


async def test_each_change_of_metadata_has_its_place_in_the_code() -> None:
    async with playing(count) as play:
        assert noted(await play.posted()) == [("set", "n", b"0", (1, -1, 1))]
        play.tell(take("x#0", b"1"))
        assert noted(await play.posted()) == [
            ("increment", "n", b"1", (1, 0, 1)),
            ("increment", "n", b"1", (1, 0, 2)),
            ("append", "list", b'"a"', (1, 0, 3)),
        ]
        assert play.life.notepad.shown == {"n": b"2", "list": b'["a"]'}


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ((), [("set", (1, -1, 1)), *[("increment", (1, 0, n)) for n in (1, 2)]]),
        ((1, -1, 1), [("increment", (1, 0, 1)), ("increment", (1, 0, 2))]),
        ((1, 0, 1), [("increment", (1, 0, 2))]),
        ((1, 0, 2), []),
        ((1, 0, 3), []),
    ],
)
async def test_a_later_life_says_only_what_has_not_landed(
    mark: tuple[int, ...], said: list[tuple[str, tuple[int, ...]]]
) -> None:
    known = (take("x#0", b"1"), take("y#0", b"1"))
    async with playing(count, *known, metadata=b'{"n":2}', mark=mark) as play:
        posted = noted(await play.posted())
        sets_and_sums = [(kind, at) for kind, name, _, at in posted if name == "n"]
        assert sets_and_sums == [*said, ("increment", (1, 1, 1))]
        assert play.life.notepad.shown["n"] == b"7"


async def test_changes_that_were_not_acknowledged_are_posted_again_in_order() -> None:
    async with playing(count, take("x#0", b"1"), metadata=b'{"n":0}', mark=(1, -1, 1)) as play:
        await play.posted()
        again = [op for op in play.life.ledger.unanswered() if isinstance(op, Noted)]
        assert [op.mark for op in again] == [(1, 0, 1), (1, 0, 2), (1, 0, 3)]
        play.life.receive(Note(RUN, EPOCH_NO, again[1].key))
        left = [op for op in play.life.ledger.unanswered() if isinstance(op, Noted)]
        assert left == [again[0], again[2]]


async def test_metadata_is_posted_again_until_it_is_acknowledged() -> None:
    async def flow() -> None:
        run = require("note")
        run.note("progress", b"0.1")
        run.note("phase", b"1")
        await wait("x")
        run.note("progress", b"0.2")
        await wait("y")

    def again(play: Play) -> list[tuple[str, bytes]]:
        posted = play.life.ledger.unanswered()
        return [(op.key, op.value) for op in posted if isinstance(op, Noted)]

    async with playing(flow) as play:
        await play.posted()
        assert again(play) == [("0/progress", b"0.1"), ("1/phase", b"1")]
        play.tell(take("x#0", b"1"))
        await play.posted()
        play.life.receive(
            Note(RUN, EPOCH_NO, "0/progress")
        )  # of a value that was set anew meanwhile
        assert again(play) == [("1/phase", b"1"), ("2/progress", b"0.2")]
        play.life.receive(Note(RUN, EPOCH_NO, "2/progress"))
        play.refuse("1/phase", "too_large")
        assert again(play) == []


def peek() -> bytes | None:
    return require("peek").peek(inward("x"), line="flow.py:5")


async def test_peek_answers_from_what_was_pushed_and_is_replayed() -> None:
    async def flow() -> bytes:
        seen = [peek()]
        await wait("y")
        seen.append(peek())
        return b"".join(body or b"-" for body in seen)

    async with playing(flow, newest={"x": (4, b"7")}) as live:
        posted = await live.posted()
        (peeked,) = [op.entry for op in posted if isinstance(op, Remembered)]
        assert (peeked.key, peeked.kind, peeked.body, peeked.seq) == ("peek:x#0", "peek", b"7", 4)
        live.life.receive(Unread(RUN, EPOCH_NO, "x", 5, b"8"))
        live.echo(peeked)
        live.tell(take("y#0", b"1"))
        assert (await live.ended(Completed)).output == b"78"
    known = entry_of("peek:x#0", "peek", body=b"7"), take("y#0", b"1")
    async with playing(flow, *known, newest={"x": (9, b"9")}) as replayed:
        assert (await replayed.ended(Completed)).output == b"79"


async def test_peek_does_not_see_what_was_taken() -> None:
    async def flow() -> bytes:
        first = peek()
        await wait("x")
        return (first or b"-") + (peek() or b"-")

    async with playing(flow, newest={"x": (0, b"7")}) as play:
        await play.posted()
        play.tell(take("x#0", b"7"))
        assert (await play.ended(Completed)).output == b"7-"
    nothing = entry_of("peek:x#0", "peek", "timeout", b"")
    async with playing(flow, nothing, take("x#0", b"7"), newest={"x": (3, b"9")}) as replayed:
        assert (await replayed.ended(Completed)).output == b"-9"


async def test_too_much_is_refused_before_it_is_posted() -> None:
    big = b'"%b"' % (b"a" * MAX_DATA)

    async def flow() -> None:
        run = require("test")
        with pytest.raises(TooLarge, match="a record holds at most"):
            await run.emit(outward("tokens"), big, line="flow.py:1")
        with pytest.raises(TooLarge, match="a message holds at most"):
            await run.send("run_9", "notes", big, key="", line="flow.py:2")
        with pytest.raises(TooLarge, match="result of step draft"):
            await step("draft", big)

    async with playing(flow) as play:
        (failed,) = await play.posted()
        assert isinstance(failed, Remembered)
        assert (failed.entry.key, failed.entry.ending) == ("draft#0", "failure")
        play.echo(failed.entry)
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b"null")]


async def test_nothing_durable_is_asked_inside_a_step() -> None:
    async def effect() -> bytes:
        run = require("test")
        for ask in (
            wait("x"),
            step("inner"),
            run.emit(outward("tokens"), b"1", line=""),
            run.start("child", b"{}", line=""),
            branch(wait("x")),
        ):
            with pytest.raises(OutsideRun, match="inside the step 'outer'"):
                await ask
        with pytest.raises(OutsideRun, match="inside the step 'outer'"):
            peek()
        return b"1"

    async def flow() -> None:
        await step("outer", effect)
        await wait("y")

    async with playing(flow) as play:
        (remembered,) = await play.posted()
        assert isinstance(remembered, Remembered)
        assert remembered.entry.ending == "value"
        play.echo(remembered.entry)
        assert [op.key for op in await play.posted() if isinstance(op, Standing)] == ["y#0"]


async def test_a_callback_of_the_loop_is_no_branch() -> None:
    trouble: list[str] = []

    async def flow() -> None:
        def call() -> None:
            try:
                peek()
            except OutsideRun as error:
                trouble.append(str(error))

        asyncio.get_running_loop().call_soon(call)
        await wait("y")

    async with playing(flow) as play:
        await play.posted()
        assert "own tasks did not start" in trouble[0]


async def test_outside_a_run_nothing_is_asked() -> None:
    with pytest.raises(OutsideRun, match=r"approval\.wait works inside a task only"):
        require("approval.wait")
