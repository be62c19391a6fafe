"""What every `Api` promises about triggers that put a delayed run off."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import Raw

from headrace.errors import Mistake
from headrace.ports import Api
from headrace.testing.contracts.declared import Declared, order
from headrace.testing.contracts.puppet import working
from headrace.wire.views import RunQuery

HOUR = {"key": "user:7", "delay": "1h"}


class DebounceApiContract(Declared):
    """One run for many triggers, until it begins."""

    async def test_triggers_under_a_key_are_one_delayed_run(self, known: Api) -> None:
        first = await known.trigger("publish", order(b"1", debounce=HOUR))
        second = await known.trigger("publish", order(b"2", debounce=HOUR))
        assert (first.is_cached, second.id, second.is_cached) == (False, first.id, True)
        view = await known.retrieve(first.id)
        assert isinstance(view.payload, Raw)
        assert (view.status, bytes(view.payload)) == ("DELAYED", b"1")

    async def test_where_it_is_trailing_the_last_one_counts(self, known: Api) -> None:
        trailing = {**HOUR, "mode": "trailing"}
        run = ""
        for n in (1, 2, 3):
            asked = order(b"%d" % n, debounce=trailing, tags=[f"t{n}"], metadata={"n": n})
            run = (await known.trigger("publish", asked)).id
        view = await known.retrieve(run)
        assert isinstance(view.payload, Raw)
        assert isinstance(view.metadata, Raw)
        assert (bytes(view.payload), bytes(view.metadata), view.tags) == (b"3", b'{"n":3}', ["t3"])

    async def test_once_it_has_begun_there_is_another(self, known: Api) -> None:
        first = (await known.trigger("publish", order(debounce=HOUR))).id
        async with working(known, "publish") as puppet:
            await known.reschedule(first, 0)
            await puppet.assigned(first)
        second = await known.trigger("publish", order(debounce=HOUR))
        assert (second.id != first, second.is_cached) == (True, False)

    async def test_many_at_once_are_one(self, known: Api) -> None:
        asked = [known.trigger("publish", order(debounce=HOUR)) for _ in range(20)]
        found = await asyncio.gather(*asked)
        assert len({one.id for one in found}) == 1
        assert sum(not one.is_cached for one in found) == 1
        assert len((await known.list_runs(RunQuery())).data) == 1

    async def test_what_means_nothing_is_refused(self, known: Api) -> None:
        for wrong in ({"key": ""}, {"key": "k" * 513}, {"delay": "soon"}, {"maxDelay": "0s"}):
            with pytest.raises(Mistake) as refused:
                await known.trigger("publish", order(debounce={**HOUR, **wrong}))
            assert refused.value.code == "mistake"
        assert not (await known.list_runs(RunQuery())).data
