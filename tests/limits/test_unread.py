"""Law 12: 100,000 unread messages are delivered in order, and one more is refused, not dropped.

Here by the engine on a file; `python -m tests.limits` does it over HTTP with a real task.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from headrace.backends.sqlite import open_sqlite
from headrace.engine import open_engine
from headrace.engine.sends import UNREAD_AT_MOST
from headrace.errors import Throttled
from headrace.kernel.commands import Change
from headrace.kernel.model import Entry, EnvId, RunId, inward
from headrace.ports import Api, Delivering, Draft, Stores
from headrace.wire.channel import Assigned, Hello, Push, Renewed, Standing, Told
from headrace.wire.registration import Registration, StreamSpec, TaskSpec
from headrace.wire.views import TriggerOrder

MOST: Final = 100_000
SENT: Final = 10
"""How many come through the door; the rest is appended behind it, which is faster."""
AT_ONCE: Final = 500
STREAM: Final = "news"


class Counted:
    """Chance that only counts."""

    def __init__(self) -> None:
        self._count = 0

    def jitter(self) -> float:
        return 0.0

    def unique(self, size: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(size, "big")


async def _started(api: Api) -> str:
    task, stream = TaskSpec(id="reader"), StreamSpec(name=STREAM, inward=True)
    await api.register(Registration(version="1", tasks=(task,), streams=(stream,)))
    return (await api.trigger("reader", TriggerOrder())).id


async def _fill(stores: Stores, run_id: str, count: int) -> None:
    run = await stores.runs.load(RunId(run_id))
    assert run is not None
    assert isinstance(stores.streams, Delivering)
    now = stores.clock.now()
    drafts = [Draft(run.id, inward(STREAM), n, b"%d" % n, now) for n in range(count)]
    for first in range(0, count, 10_000):
        await stores.streams.deliver(drafts[first : first + 10_000], Change(run, run))


async def _take_all(api: Api, run: str) -> AsyncIterator[Entry]:
    """Be a worker with a task that asks for many at once, again and again."""
    hello = Hello(worker="w", version="1", tasks=("reader",), slots=1)
    async with api.attach(hello) as channel:
        asked = taken = 0
        async for pushes in channel.pushes:
            for entry in _told(pushes):
                taken += 1
                yield entry
            if taken == MOST:
                return
            if taken == asked:
                epoch = next((p.epoch for p in pushes if isinstance(p, Assigned | Told)), 1)
                keys = [f"{n}/news#0" for n in range(asked, asked + AT_ONCE)]
                channel.post([*(Standing(run, epoch, key, STREAM) for key in keys), Renewed(1)])
                asked += AT_ONCE


def _told(pushes: Sequence[Push]) -> list[Entry]:
    return [entry for push in pushes if isinstance(push, Told) for entry in push.entries]


@pytest.mark.timeout(120)
async def test_law_12_a_hundred_thousand_unread_messages(tmp_path: Path) -> None:
    assert UNREAD_AT_MOST == MOST
    async with open_sqlite(tmp_path / "headrace.db") as stores:
        async with open_engine(stores, Counted()) as engine:
            run = await _started(engine.at(EnvId("dev")))
            await _fill(stores, run, MOST - SENT)
        async with open_engine(stores, Counted()) as engine:
            api = engine.at(EnvId("dev"))
            for n in range(MOST - SENT, MOST):
                assert (await api.send(run, STREAM, b"%d" % n, key=f"{n}")).seq == n
            with pytest.raises(Throttled) as refused:
                await api.send(run, STREAM, b"one too many")
            assert refused.value.retry_after > 0
            assert (await api.retrieve(run)).unread == {STREAM: MOST}

            told = [(entry.seq, entry.body) async for entry in _take_all(api, run)]
            assert told == [(n, b"%d" % n) for n in range(MOST)]
            assert (await api.retrieve(run)).unread == {}
            assert (await api.send(run, STREAM, b"there is room again")).seq == MOST
