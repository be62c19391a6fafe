"""What every `Api` promises about starting, seeing and stopping runs."""

from __future__ import annotations

from contextlib import aclosing

import anyio
import msgspec
import pytest
from msgspec import Raw

from headrace.errors import BadRequest, BadValue, NotFound
from headrace.ports import Api
from headrace.testing.contracts.declared import Declared, order
from headrace.testing.contracts.puppet import PATIENCE_S
from headrace.wire.views import RunQuery, TriggerOptions, TriggerOrder


class RunsApiContract(Declared):
    """Starting, seeing, stopping."""

    # --- starting ------------------------------------------------------------------------------

    async def test_a_triggered_run_is_queued(self, known: Api) -> None:
        started = await known.trigger("publish", order(b"7", tags=["a", "b"], metadata={"k": 1}))
        view = await known.retrieve(started.id)
        assert not started.is_cached
        assert (view.id, view.task_identifier, view.status) == (started.id, "publish", "QUEUED")
        assert (view.is_queued, view.is_completed, view.attempt_count) == (True, False, 0)
        assert sorted(view.tags) == ["a", "b"]
        assert isinstance(view.payload, Raw)
        assert isinstance(view.metadata, Raw)
        assert (bytes(view.payload), bytes(view.metadata)) == (b"7", b'{"k":1}')

    async def test_a_run_may_be_started_with_nothing(self, known: Api) -> None:
        nothing = TriggerOrder(payload=Raw(b""), options=TriggerOptions(metadata=Raw(b"")))
        started = await known.trigger("a/b c", nothing)
        view = await known.retrieve(started.id)
        assert isinstance(view.payload, msgspec.UnsetType)
        assert isinstance(view.metadata, msgspec.UnsetType)

    async def test_a_task_is_found_by_any_name_that_it_may_have(self, known: Api) -> None:
        started = await known.trigger("a/b c", order())
        assert (await known.retrieve(started.id)).task_identifier == "a/b c"

    async def test_a_task_that_nobody_declared_is_not_found(self, known: Api) -> None:
        with pytest.raises(NotFound, match="unheard"):
            await known.trigger("unheard", order())

    async def test_the_same_idempotency_key_gives_the_same_run(self, known: Api) -> None:
        one = await known.trigger("publish", order(idempotencyKey="k"))
        two = await known.trigger("publish", order(idempotencyKey="k"))
        other = await known.trigger("publish", order(idempotencyKey="l"))
        assert (two.id, two.is_cached) == (one.id, True)
        assert other.id != one.id

    async def test_a_repeated_request_is_the_same_run_and_no_news(self, known: Api) -> None:
        one = await known.trigger("publish", order(), request_key="r")
        two = await known.trigger("publish", order(), request_key="r")
        assert (two.id, two.is_cached) == (one.id, False)

    async def test_a_delayed_run_says_until_when(self, known: Api) -> None:
        started = await known.trigger("publish", order(delay="1h"))
        view = await known.retrieve(started.id)
        assert view.status == "DELAYED"
        assert isinstance(view.delayed_until, str)

    @pytest.mark.parametrize("options", [{"delay": "5 minutes"}, {"ttl": "-1s"}, {"delay": "soon"}])
    async def test_a_bad_duration_starts_nothing(self, known: Api, options: dict[str, str]) -> None:
        with pytest.raises(BadRequest):
            await known.trigger("publish", order(b"1", **options))
        assert not (await known.list_runs(RunQuery())).data

    async def test_a_payload_that_does_not_fit_starts_nothing(self, known: Api) -> None:
        with pytest.raises(BadValue, match="integer"):
            await known.trigger("publish", order(b'"seven"'))
        assert not (await known.list_runs(RunQuery())).data

    # --- seeing --------------------------------------------------------------------------------

    async def test_a_run_that_nobody_started_is_not_found(self, known: Api) -> None:
        with pytest.raises(NotFound, match="run_nobody"):
            await known.retrieve("run_nobody")
        with pytest.raises(NotFound):
            await known.cancel("run_nobody")
        with pytest.raises(NotFound):
            await anext(known.subscribe("run_nobody"))

    async def test_runs_are_listed_newest_first_page_by_page(self, known: Api) -> None:
        ids = [(await known.trigger("publish", order())).id for _ in range(5)]
        first = await known.list_runs(RunQuery(size=2))
        assert [view.id for view in first.data] == [ids[4], ids[3]]
        assert isinstance(first.pagination.next, str)
        then = await known.list_runs(RunQuery(size=2, after=first.pagination.next))
        assert [view.id for view in then.data] == [ids[2], ids[1]]

    async def test_pages_are_turned_back(self, known: Api) -> None:
        ids = [(await known.trigger("publish", order())).id for _ in range(5)]
        last = await known.list_runs(RunQuery(size=2, after=ids[2]))
        assert [view.id for view in last.data] == [ids[1], ids[0]]
        assert isinstance(last.pagination.next, msgspec.UnsetType)
        assert isinstance(last.pagination.previous, str)
        back = await known.list_runs(RunQuery(size=2, before=last.pagination.previous))
        assert [view.id for view in back.data] == [ids[3], ids[2]]

    async def test_runs_are_found_by_task_tag_and_status(self, known: Api) -> None:
        tagged = (await known.trigger("publish", order(tags=["x"]))).id
        other = (await known.trigger("a/b c", order())).id
        await known.cancel(other)
        for query, expected in (
            (RunQuery(tag=("x",)), [tagged]),
            (RunQuery(task=("a/b c",)), [other]),
            (RunQuery(status=("CANCELED",)), [other]),
            (RunQuery(status=("QUEUED", "CANCELED")), [other, tagged]),
            (RunQuery(tag=("x",), status=("CANCELED",)), []),
        ):
            assert [view.id for view in (await known.list_runs(query)).data] == expected

    async def test_a_queued_run_is_cancelled_at_once_and_stays_so(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        once, twice = await known.cancel(run), await known.cancel(run)
        assert (once.status, once.is_cancelled, once.is_completed) == ("CANCELED", True, True)
        assert twice.status == "CANCELED"

    async def test_a_subscriber_sees_the_run_until_it_is_final(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        with anyio.fail_after(PATIENCE_S):
            async with aclosing(known.subscribe(run)) as views:
                first = await anext(views)
                await known.cancel(run)
                rest = [view async for view in views]
        assert first.status == "QUEUED"
        assert rest[-1].status == "CANCELED"
