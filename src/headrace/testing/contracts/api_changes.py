"""What every `Api` promises about changes from outside: replay, reschedule, tags, metadata."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

from headrace.errors import BadRequest, BadValue, Mistake, NotFound, TooLarge
from headrace.ports import Api
from headrace.testing.contracts.declared import Declared, order
from headrace.testing.contracts.puppet import working
from headrace.wire.changes import Amendment, Edit, ReplayOrder
from headrace.wire.views import RunQuery, RunView


def edit(kind: str, key: str = "", value: object = None) -> Edit:
    """Return one change of metadata."""
    raw = Raw(json.dumps(value).encode())
    return Edit(type=kind, key=key, value=raw)  # type: ignore[arg-type]  # a kind by its name


def amendment(*edits: Edit) -> Amendment:
    """Return changes of a run's own metadata."""
    return Amendment(operations=list(edits))


def told(view: RunView) -> tuple[object, ...]:
    """Return what a run was started with, as far as it is shown."""
    assert isinstance(view.payload, Raw)
    assert isinstance(view.metadata, Raw)
    return view.task_identifier, bytes(view.payload), bytes(view.metadata), sorted(view.tags)


class ChangesApiContract(Declared):
    """Replaying, rescheduling, tagging, describing, freeing keys."""

    # --- replays -------------------------------------------------------------------------------

    async def test_a_replay_is_another_run_with_the_same(self, known: Api) -> None:
        given = order(b"7", tags=["a"], metadata={"k": 1}, idempotencyKey="k", test=True)
        first = (await known.trigger("publish", given)).id
        await known.amend(first, amendment(edit("set", "k", 2)))
        again = await known.replay(first, ReplayOrder())
        assert (again.id != first, again.is_cached) == (True, False)
        view = await known.retrieve(again.id)
        assert told(view) == ("publish", b"7", b'{"k":1}', ["a"])
        assert (view.is_test, view.status) == (True, "QUEUED")
        assert not view.idempotency_key

    async def test_a_replay_differs_in_what_is_said(self, known: Api) -> None:
        first = (await known.trigger("publish", order(b"7", tags=["a"], metadata={"k": 1}))).id
        asked = ReplayOrder(
            payload=Raw(b'"{\\"json\\":8}"'),
            payload_type="super+json",
            metadata=Raw(b'{"l":2}'),
            tags=["b"],
            delay="1h",
        )
        view = await known.retrieve((await known.replay(first, asked)).id)
        assert told(view) == ("publish", b"8", b'{"l":2}', ["b"])
        assert view.status == "DELAYED"

    async def test_a_repeated_request_replays_once(self, known: Api) -> None:
        first = (await known.trigger("publish", order())).id
        ids = {(await known.replay(first, ReplayOrder(), request_key="r")).id for _ in range(2)}
        assert len(ids) == 1
        keyed = ReplayOrder(idempotency_key="k")
        one, two = await known.replay(first, keyed), await known.replay(first, keyed)
        assert (two.id, two.is_cached) == (one.id, True)

    async def test_a_replay_that_cannot_start_starts_nothing(self, known: Api) -> None:
        first = (await known.trigger("publish", order())).id
        with pytest.raises(BadValue, match="integer"):
            await known.replay(first, ReplayOrder(payload=Raw(b'"seven"')))
        with pytest.raises(BadRequest):
            await known.replay(first, ReplayOrder(delay="soon"))
        with pytest.raises(NotFound):
            await known.replay("run_nobody", ReplayOrder())
        assert len((await known.list_runs(RunQuery())).data) == 1

    # --- another time --------------------------------------------------------------------------

    async def test_a_delayed_run_is_given_another_time(self, known: Api) -> None:
        run = (await known.trigger("publish", order(delay="1h"))).id
        before = await known.retrieve(run)
        after = await known.reschedule(run, "2h")
        assert after.status == "DELAYED"
        assert str(after.delayed_until) > str(before.delayed_until)
        async with working(known, "publish") as puppet:
            await known.reschedule(run, 0)
            assert (await puppet.assigned(run)).attempt == 1

    async def test_what_is_not_delayed_is_left_alone(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        with pytest.raises(BadRequest, match="not delayed: it is QUEUED"):
            await known.reschedule(run, "1h")
        delayed = (await known.trigger("publish", order(delay="1h"))).id
        with pytest.raises(BadRequest, match="no duration"):
            await known.reschedule(delayed, "5 minutes")
        with pytest.raises(NotFound):
            await known.reschedule("run_nobody", "1h")

    # --- tags ----------------------------------------------------------------------------------

    async def test_tags_are_added_and_found(self, known: Api) -> None:
        run = (await known.trigger("publish", order(tags=["a"]))).id
        assert sorted(await known.tag(run, ("b", "a", "b"))) == ["a", "b"]
        assert (await known.retrieve(run)).tags == ["a", "b"]
        found = await known.list_runs(RunQuery(tag=("b",)))
        assert [view.id for view in found.data] == [run]

    async def test_tags_that_are_too_many_are_all_refused(self, known: Api) -> None:
        run = (await known.trigger("publish", order(tags=[f"t{n}" for n in range(9)]))).id
        with pytest.raises(Mistake, match="at most 10"):
            await known.tag(run, ("x", "y"))
        for bad in ("", "x" * 129):
            with pytest.raises(BadRequest, match="1 to 128"):
                await known.tag(run, (bad,))
        with pytest.raises(NotFound):
            await known.tag("run_nobody", ("x",))
        assert len((await known.retrieve(run)).tags) == 9

    # --- metadata ------------------------------------------------------------------------------

    async def test_metadata_is_an_object_from_the_start(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        assert await known.metadata(run) == b"{}"
        replaced = Amendment(metadata=Raw(b'{"a":[1]}'), operations=[edit("append", "a", 2)])
        assert await known.amend(run, replaced) == b'{"a":[1,2]}'
        view = await known.retrieve(run)
        assert isinstance(view.metadata, Raw)
        assert await known.metadata(run) == bytes(view.metadata) == b'{"a":[1,2]}'

    async def test_a_repeated_request_counts_once(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        for key in ("r", "r", "s", "r"):
            await known.amend(run, amendment(edit("increment", "n", 1)), request_key=key)
        assert await known.metadata(run) == b'{"n":2}'

    async def test_of_a_change_that_is_refused_nothing_counts(self, known: Api) -> None:
        run = (await known.trigger("publish", order(metadata={"s": "text"}))).id
        first = edit("set", "a", 1)
        for bad, error in (
            (edit("increment", "s", 1), Mistake),
            (edit("increment", "n", "1"), BadRequest),
            (edit("set", "__proto__", 1), BadRequest),
            (edit("set", "$.a.constructor", 1), BadRequest),
            (edit("update", "", [1]), BadRequest),
            (edit("set", "big", "x" * 262_145), TooLarge),
        ):
            with pytest.raises(error):
                await known.amend(run, amendment(first, bad))
        with pytest.raises(NotFound):
            await known.amend("run_nobody", amendment(first))
        assert await known.metadata(run) == b'{"s":"text"}'

    async def test_what_is_for_parent_and_root_is_the_own_of_a_run_without(
        self, known: Api
    ) -> None:
        run = (await known.trigger("publish", order())).id
        more = [edit("increment", "n", 1)]
        asked = Amendment(operations=more, parent_operations=more, root_operations=more)
        assert await known.amend(run, asked, request_key="r") == b'{"n":3}'
        assert await known.amend(run, asked, request_key="r") == b'{"n":3}'

    # --- keys ----------------------------------------------------------------------------------

    async def test_a_freed_key_starts_another_run(self, known: Api) -> None:
        first = await known.trigger("publish", order(idempotencyKey="a/b c"))
        await known.free_key("publish", "a/b c")
        second = await known.trigger("publish", order(idempotencyKey="a/b c"))
        assert (second.is_cached, second.id != first.id) == (False, True)

    async def test_a_key_that_nobody_used_is_not_found(self, known: Api) -> None:
        await known.trigger("publish", order(idempotencyKey="k"))
        for task, key in (("a/b c", "k"), ("publish", "l"), ("unheard", "k")):
            with pytest.raises(NotFound, match="idempotency key"):
                await known.free_key(task, key)

    # --- lists ---------------------------------------------------------------------------------

    async def test_runs_are_found_by_when_and_what_they_are(self, known: Api) -> None:
        test = (await known.trigger("publish", order(test=True))).id
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            await puppet.assigned(run)
        for query, expected in (
            (RunQuery(test=True), [test]),
            (RunQuery(test=False), [run]),
            (RunQuery(version=("1",)), [run, test]),
            (RunQuery(version=("2",)), []),
            (RunQuery(since=0), [run, test]),
            (RunQuery(until=4_000_000_000_000), [run, test]),
            (RunQuery(since=4_000_000_000_000), []),
            (RunQuery(within_ms=3_600_000), [run, test]),
            (RunQuery(within_ms=3_600_000, since=4_000_000_000_000), []),
            (RunQuery(nothing=True), []),
        ):
            found = [view.id for view in (await known.list_runs(query)).data]
            assert (query, found) == (query, expected)
