"""What every `Api` promises to a worker."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import msgspec
import pytest
from msgspec import Raw

from headrace.errors import BadRequest
from headrace.kernel.model import Cause, Entry, Instant, Key, Retry
from headrace.ports import Api
from headrace.testing.contracts.declared import ANSWER, ANSWERS, Declared, order
from headrace.testing.contracts.puppet import PATIENCE_S, Puppet, working
from headrace.wire.channel import (
    Blocked,
    Completed,
    Emitted,
    Ended,
    Holding,
    Noted,
    Parked,
    Raised,
    Refusal,
    Remembered,
    Sent,
    Standing,
    Started,
    Stopping,
    Told,
    Yielded,
)
from headrace.wire.registration import Registration, StreamSpec, TaskSpec
from headrace.wire.views import RunQuery, RunView


class _Fault(msgspec.Struct):
    code: str


class WorkApiContract(Declared):
    """Declaring, attaching, executing, waiting."""

    # --- working -------------------------------------------------------------------------------

    async def test_nothing_is_listed_before_it_is_declared(self, api: Api) -> None:
        assert await api.listing() is None

    async def test_what_is_declared_is_listed(self, known: Api) -> None:
        listed = await known.listing()
        assert listed is not None
        assert {task.id for task in listed.tasks} == {"publish", "a/b c"}
        streams = {stream.name: stream for stream in listed.streams}
        assert streams["approval"].schema == ANSWERS
        assert (streams["approval"].inward, streams["progress"].inward) == (True, False)

    @pytest.mark.parametrize(
        ("bad", "named"),
        [
            (TaskSpec(id=""), "task ''"),
            (TaskSpec(id="a\nb"), r"task 'a\nb'"),
            (TaskSpec(id="x" * 129), f"task '{'x' * 40}...'"),
            (TaskSpec(id="send", schema=b'{"type":"nonsense"}'), "task 'send'"),
            (StreamSpec(name="a\u2028", inward=True), r"stream 'a\u2028'"),
            (StreamSpec(name="notes", inward=False, schema=b"{"), "stream 'notes'"),
        ],
    )
    async def test_a_bad_declaration_is_refused_by_its_name(
        self, api: Api, bad: TaskSpec | StreamSpec, named: str
    ) -> None:
        tasks = (TaskSpec(id="good"), *([bad] if isinstance(bad, TaskSpec) else []))
        streams = (bad,) if isinstance(bad, StreamSpec) else ()
        with pytest.raises(BadRequest, match=re.escape(named)):
            await api.register(Registration(version="1", tasks=tasks, streams=streams))
        assert await api.listing() is None

    async def test_a_run_is_assigned_executed_and_completed(self, known: Api) -> None:
        run = (await known.trigger("publish", order(b"7", tags=["t"]))).id
        async with working(known, "publish") as puppet:
            assigned = await puppet.assigned(run)
            assert (assigned.task, assigned.attempt, assigned.payload) == ("publish", 1, b"7")
            assert assigned.tags == ("t",)
            assert (await known.retrieve(run)).status == "EXECUTING"
            puppet.post(Completed(run, assigned.epoch, b'{"by":"alice"}'))
            await puppet.pushed(Ended, run)
        view = await known.retrieve(run)
        assert (view.status, view.is_success, view.attempt_count) == ("COMPLETED", True, 1)
        assert isinstance(view.output, Raw)
        assert bytes(view.output) == b'{"by":"alice"}'

    async def test_a_failed_run_shows_why(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            epoch = (await puppet.assigned(run)).epoch
            cause = Cause("no paper", "OSError", 'File "tasks.py", line 3')
            puppet.post(Raised(run, epoch, cause, Retry(), again=False))
            await puppet.pushed(Ended, run)
        view = await known.retrieve(run)
        assert (view.status, view.is_failed) == ("FAILED", True)
        assert not isinstance(view.error, msgspec.UnsetType)
        assert (view.error.name, view.error.message) == ("OSError", "no paper")
        assert view.error.stack_trace == 'File "tasks.py", line 3'

    async def test_a_send_answers_a_wait(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            epoch = await _parked(known, puppet, run)
            waiting = await known.retrieve(run)
            assert (waiting.status, waiting.is_waiting) == ("WAITING", True)
            assert [(wait.stream, wait.line) for wait in waiting.waits] == [
                ("approval", "tasks.py:7")
            ]
            assert isinstance(waiting.waits[0].until, str)
            receipt = await known.send(run, "approval", ANSWER)
            assert (receipt.seq, receipt.resumed) == (0, True)
            entry = (await puppet.pushed(Told, run)).entries[0]
            assert (entry.n, entry.key, entry.ending) == (0, "0/approval#0", "value")
            assert (entry.body, entry.seq) == (ANSWER, 0)
            assert (await known.retrieve(run)).status == "EXECUTING"
            puppet.post(Completed(run, epoch, b""))
            await puppet.pushed(Ended, run)

    async def test_a_message_that_was_there_first_answers_at_once(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        await known.send(run, "approval", ANSWER)
        async with working(known, "publish") as puppet:
            assigned = await puppet.assigned(run)
            assert assigned.newest == {"approval": (0, ANSWER)}
            puppet.post(_standing(run, assigned.epoch))
            entry = (await puppet.pushed(Told, run)).entries[0]
            assert (entry.body, entry.seq) == (ANSWER, 0)
            assert (await known.retrieve(run)).unread == {}

    async def test_a_worker_that_comes_back_gets_what_it_missed(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            epoch = await _parked(known, puppet, run)
        await known.send(run, "approval", ANSWER)
        async with working(known, "publish", holdings=[Holding(run, epoch, 0)]) as puppet:
            entry = (await puppet.pushed(Told, run)).entries[0]
            assert (entry.n, entry.body) == (0, ANSWER)

    async def test_a_worker_that_forgot_gets_the_run_with_its_journal(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            await _parked(known, puppet, run)
        await known.send(run, "approval", ANSWER)
        async with working(known, "publish") as puppet:
            assigned = await puppet.assigned(run)
            assert [entry.body for entry in assigned.entries] == [ANSWER]

    async def test_an_older_epoch_can_change_nothing(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            epoch = (await puppet.assigned(run)).epoch
            puppet.post(Completed(run, epoch - 1, b'"stale"'))
            await puppet.fenced(run)
            assert (await known.retrieve(run)).status == "EXECUTING"

    async def test_what_cannot_be_done_is_refused_by_its_key(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            epoch = (await puppet.assigned(run)).epoch
            body = b'"' + b"x" * 1_048_576 + b'"'
            puppet.post(Emitted(run, epoch, "progress", "0/progress#0/0", body))
            refusal = await puppet.pushed(Refusal, run)
            assert (refusal.key, refusal.code) == ("0/progress#0/0", "too_large")

    async def test_a_send_to_nobody_is_remembered_as_a_failure(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            epoch = (await puppet.assigned(run)).epoch
            puppet.post(Sent(run, epoch, "0/send#0", "run_nobody", "notes", b"1"))
            entry = (await puppet.pushed(Told, run)).entries[0]
            assert (entry.key, entry.kind, entry.ending) == ("0/send#0", "send", "failure")
            assert msgspec.json.decode(entry.body, type=_Fault).code == "not_found"

    async def test_a_wait_that_nobody_answers_ends_at_its_deadline(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            epoch = (await puppet.assigned(run)).epoch
            puppet.post(Standing(run, epoch, "0/approval#0", "approval", timeout_ms=20))
            puppet.post(Standing(run, epoch, "0/sleep#0", timeout_ms=30))
            entries: list[Entry] = []
            while len(entries) < 2:  # both may end in one commit
                entries += (await puppet.pushed(Told, run)).entries
            assert [(entry.key, entry.kind, entry.ending) for entry in entries] == [
                ("0/approval#0", "take", "timeout"),
                ("0/sleep#0", "timer", "value"),
            ]

    async def test_an_attempt_that_failed_is_followed_by_another(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            first = await puppet.assigned(run)
            policy = Retry(first_ms=1, jitter=False)
            puppet.post(Raised(run, first.epoch, Cause("once"), policy))
            second = await puppet.assigned(run)
            assert (second.attempt, second.epoch) == (2, first.epoch + 1)

    async def test_what_a_worker_found_out_is_remembered(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            epoch = (await puppet.assigned(run)).epoch
            found = Entry(0, Key("0/step#0"), "step", "value", b"[1,2]", Instant(0), "ab", "t.py:3")
            puppet.post(Remembered(run, epoch, found), Noted(run, epoch, "progress", b"0.5"))
            told = (await puppet.pushed(Told, run)).entries[0]
            assert (told.key, told.body) == ("0/step#0", b"")
        async with working(known, "publish") as puppet:
            assigned = await puppet.assigned(run)
            assert [(e.key, e.body, e.line) for e in assigned.entries] == [
                ("0/step#0", b"[1,2]", "t.py:3")
            ]
            assert assigned.metadata == b'{"progress":0.5}'

    async def test_a_child_is_started_once(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            epoch = (await puppet.assigned(run)).epoch
            start = Started(run, epoch, "0/start#0", "a/b c", b'{"payload":[7]}')
            puppet.post(start, start)
            entry = (await puppet.pushed(Told, run)).entries[0]
            assert (entry.kind, entry.ending) == ("trigger", "value")
            children = await known.list_runs(RunQuery(task=("a/b c",)))
            assert len(children.data) == 1
            assert children.data[0].id in entry.body.decode()

    async def test_a_running_run_is_told_to_stop(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            epoch = (await puppet.assigned(run)).epoch
            assert not (await known.cancel(run)).is_completed
            await puppet.pushed(Stopping, run)
            puppet.post(Yielded(run, epoch))
            await puppet.pushed(Ended, run)
        assert (await known.retrieve(run)).status == "CANCELED"

    async def test_a_run_that_does_not_fit_its_code_is_blocked(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            epoch = (await puppet.assigned(run)).epoch
            puppet.post(Blocked(run, epoch, Cause("--- recorded", "Diverged")))
            await puppet.pushed(Ended, run)
        view = await known.retrieve(run)
        assert (view.status, view.blocked) == ("PENDING_VERSION", "--- recorded")

    async def test_a_second_attachment_ends_the_first(self, known: Api) -> None:
        async with working(known, "publish") as first, working(known, "publish") as second:
            await first.ended()
            run = (await known.trigger("publish", order())).id
            await second.assigned(run)

    async def test_a_worker_takes_only_what_it_serves_and_has_room_for(self, known: Api) -> None:
        other = (await known.trigger("a/b c", order())).id
        ids = [(await known.trigger("publish", order())).id for _ in range(2)]
        async with working(known, "publish", slots=1) as puppet:
            assigned = await puppet.assigned(ids[0])
            statuses = [(await known.retrieve(run)).status for run in (*ids, other)]
            assert statuses == ["EXECUTING", "QUEUED", "QUEUED"]
            puppet.post(Completed(ids[0], assigned.epoch, b""))
            await puppet.assigned(ids[1])


def _standing(run: str, epoch: int) -> Standing:
    return Standing(
        run, epoch, "0/approval#0", "approval", timeout_ms=604_800_000, held=True, line="tasks.py:7"
    )


async def _parked(api: Api, puppet: Puppet, run: str) -> int:
    epoch = (await puppet.assigned(run)).epoch
    puppet.post(_standing(run, epoch), Parked(run, epoch))
    with anyio.fail_after(PATIENCE_S):
        async with aclosing(api.subscribe(run)) as views:
            await _until(views, "WAITING")
    return epoch


async def _until(views: AsyncGenerator[RunView], status: str) -> None:
    async for view in views:
        if view.status == status:
            return
