"""Lists of runs: pages in both directions, statuses that nothing has, several filters at once."""

from __future__ import annotations

import msgspec
import pytest

from headrace.wire.views import RunPage, RunQuery
from tests.engine.house import PROD, House


def _ids(page: RunPage) -> list[str]:
    return [view.id for view in page.data]


def _cursor(cursor: str | msgspec.UnsetType) -> str:
    assert isinstance(cursor, str)
    return cursor


async def test_pages_lead_there_and_back(house: House) -> None:
    runs = [await house.start() for _ in range(7)][::-1]
    first = await house.api.list_runs(RunQuery(size=3))
    second = await house.api.list_runs(RunQuery(size=3, after=_cursor(first.pagination.next)))
    third = await house.api.list_runs(RunQuery(size=3, after=_cursor(second.pagination.next)))
    assert [_ids(page) for page in (first, second, third)] == [runs[:3], runs[3:6], runs[6:]]
    assert first.pagination.previous is msgspec.UNSET
    assert third.pagination.next is msgspec.UNSET
    back = await house.api.list_runs(RunQuery(size=3, before=_cursor(third.pagination.previous)))
    assert _ids(back) == runs[3:6]
    assert _cursor(back.pagination.next) == runs[5]
    start = await house.api.list_runs(RunQuery(size=3, before=_cursor(back.pagination.previous)))
    assert (_ids(start), start.pagination.previous) == (runs[:3], msgspec.UNSET)


async def test_a_status_that_no_run_can_have_finds_nothing(house: House) -> None:
    await house.start()
    page = await house.api.list_runs(RunQuery(status=("DEQUEUED", "SYSTEM_FAILURE")))
    assert page == RunPage(data=[], pagination=page.pagination)


@pytest.mark.parametrize("cursor", ["after", "before"])
async def test_a_page_beside_a_run_that_is_not_there_is_empty(house: House, cursor: str) -> None:
    await house.start()
    query = RunQuery(after="run_nobody") if cursor == "after" else RunQuery(before="run_nobody")
    assert _ids(await house.api.list_runs(query)) == []


async def test_filters_are_met_together(house: House) -> None:
    await house.start(tags=["x"])
    wanted = await house.start("strict", tags=["x", "y"], delay="1h")
    await house.start("strict", tags=["z"], delay="1h")
    query = RunQuery(task=("strict",), tag=("y", "x"), status=("DELAYED",))
    assert _ids(await house.api.list_runs(query)) == [wanted]


async def test_an_environment_lists_its_own(house: House) -> None:
    await house.start()
    assert _ids(await house.engine.at(PROD).list_runs(RunQuery())) == []
