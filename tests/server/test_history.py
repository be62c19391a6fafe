"""What has become of a run is told event by event."""

from typing import cast

import anyio

from headrace.kernel.model import Cause, Retry
from headrace.testing.contracts.puppet import working
from headrace.wire.channel import Ended, Parked, Raised, Standing
from tests.server.house import KEY, PATIENCE_S, House, started


async def told(home: House, run: str, key: str = KEY) -> list[dict[str, object]]:
    """Return the events of a run."""
    said = await home.ask("GET", f"/api/v1/runs/{run}/events", key=key)
    assert said.status == 200
    return cast("list[dict[str, object]]", said.json["events"])


def names(events: list[dict[str, object]]) -> list[object]:
    """Return what has happened, without when."""
    return [event["event"] for event in events]


async def test_what_a_run_waits_for_comes_last(home: House) -> None:
    run = await started(home)
    assert names(await told(home, run)) == ["created"]
    async with working(home.api, "publish") as puppet:
        held = await puppet.assigned(run)
        puppet.post(Standing(run, held.epoch, "0/notes#0", "notes", held=True))
        puppet.post(Parked(run, held.epoch))
        with anyio.fail_after(PATIENCE_S):
            while "waiting" not in names(await told(home, run)):
                await anyio.lowlevel.checkpoint()
    events = await told(home, run, home.token(f"read:runs:{run}"))
    assert names(events) == ["created", "started", "waiting"]
    assert events[-1]["stream"] == "notes"
    assert events == sorted(events, key=lambda event: str(event["time"]))


async def test_a_run_that_is_over_stands_nowhere(home: House) -> None:
    run = await started(home, b'{"options":{"delay":"1h"}}')
    await home.api.cancel(run)
    assert names(await told(home, run)) == ["created", "canceled"]


async def test_a_delay_and_a_try_again_say_until_when(home: House) -> None:
    delayed = await started(home, b'{"options":{"delay":"1h"}}')
    assert "until" in (await told(home, delayed))[-1]
    assert names(await told(home, delayed)) == ["created", "delayed"]
    fails = await started(home)
    async with working(home.api, "publish") as puppet:
        held = await puppet.assigned(fails)
        puppet.post(Raised(fails, held.epoch, Cause("no", "OSError"), Retry(max_attempts=9)))
        await puppet.pushed(Ended, fails)
    assert names(await told(home, fails)) == ["created", "started", "retrying"]


async def test_whoever_may_not_read_a_run_learns_nothing_of_it(home: House) -> None:
    run = await started(home)
    token = home.token("read:runs:run_other")
    assert (await home.ask("GET", f"/api/v1/runs/{run}/events", key=token)).status == 403
    assert (await home.ask("GET", "/api/v1/runs/run_nobody/events")).status == 404
