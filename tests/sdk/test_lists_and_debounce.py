"""Runs are found by when they were created, and many triggers are one run."""

from datetime import datetime, timedelta

import pytest

from headrace import Debounce, runs
from headrace.errors import (
    BadRequest,
    Mistake,
)
from headrace.testing import Harness
from tests.sdk.given import (
    Post,
    publish,
)


async def test_runs_are_listed_by_when_they_were_created(h: Harness) -> None:
    moments = list[datetime]()
    for _ in range(3):
        first = await runs.retrieve(await publish.trigger(Post("a")))
        moments.append(first.created_at)
        await h.advance("1m")
    for found, expected in (
        (await runs.list(since=moments[1]), 2),
        (await runs.list(until=moments[1]), 2),
        (await runs.list(since=moments[1], until=moments[1]), 1),
        (await runs.list(period="2m"), 2),
        (await runs.list(period=timedelta(seconds=59)), 0),
        (await runs.list(period="1h", since=moments[2]), 1),
        (await runs.list(period="2m", since=moments[0]), 2),
        (await runs.list(test=True), 0),
        (await runs.list(test=False), 3),
        (await runs.list(version="none"), 0),
    ):
        assert len(found) == expected
    with pytest.raises(BadRequest, match="time zone"):
        await runs.list(since=datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


async def test_many_triggers_are_one_run(h: Harness) -> None:
    debounce = Debounce("a", delay="10s", mode="trailing", max_delay=timedelta(minutes=1))
    first = await publish.trigger(Post("a"), debounce=debounce)
    await h.advance("9s")
    again = await publish.trigger(Post("b"), debounce=debounce)
    assert again.id == first.id
    await h.advance("9s")
    view = await runs.retrieve(first)
    assert (view.status, view.payload["title"]) == ("DELAYED", "b")
    await h.advance("1s")
    assert (await runs.retrieve(first)).status != "DELAYED"
    assert (await publish.trigger(Post("c"), debounce=debounce)).id != first.id
    with pytest.raises(Mistake, match="at least a second"):
        await publish.trigger(Post("d"), debounce=Debounce("a", 0))
