"""Numbers that are sent to runs and come out of them again, through one address.

Owns: who sends and who reads, and the history. Must never know: what happens to the servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw

from headrace.app.system import SystemChance
from headrace.client import Client, Patience, Target, open_client
from headrace.testing.clock import ManualClock
from headrace.wire.feeds import START, RunFeed, TagFeed
from headrace.wire.views import RunView, TriggerOptions, TriggerOrder
from tests.servers.quarter import KEY

ONCE = Patience(attempts=1)
"""For a client whose requests must not fail."""
PAUSE_S = 0.05
LAST = -1


@dataclass(slots=True)
class Story:
    """What became of one run."""

    run: str
    sent: int = 0
    read: list[int] = field(default_factory=list[int])
    statuses: list[str] = field(default_factory=list[str])
    by_tag: list[str] = field(default_factory=list[str])


class Flow:
    """Runs that collect numbers, and all who have to do with them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.is_over = asyncio.Event()

    async def start(self, name: str) -> Story:
        """Start a run."""
        order = TriggerOrder(payload=Raw(b"0"), options=TriggerOptions(tags=[name]))
        return Story((await self._client.trigger("collect", order)).id)

    async def send(self, story: Story) -> None:
        """Send 0, 1, 2 … until it is over: one after the other, and none twice."""
        while not self.is_over.is_set():
            await self._send(story, story.sent)
            story.sent += 1
            await asyncio.sleep(PAUSE_S)
        await self._send(story, LAST)

    async def _send(self, story: Story, number: int) -> None:
        receipt = await self._client.send(story.run, "notes", b"%d" % number)
        assert receipt.seq == story.sent

    async def read(self, story: Story) -> None:
        """Read what comes out, to the end of the run."""
        async with aclosing(self._client.tail(story.run, "tokens", inward=False)) as records:
            async for record in records:
                story.read.append(msgspec.json.decode(record.data, type=int))

    async def follow(self, story: Story) -> None:
        """Follow what becomes of the run, to its end."""
        place = START
        while not story.statuses or story.statuses[-1] != "COMPLETED_SUCCESSFULLY":
            page = await self._client.feed(RunFeed(story.run), place)
            story.statuses += [row.status for row in page.rows]
            place = page.place

    async def follow_tag(self, story: Story, name: str) -> None:
        """The same, by its tag."""
        place = START
        while not story.by_tag or story.by_tag[-1] != "COMPLETED_SUCCESSFULLY":
            page = await self._client.feed(TagFeed((name,)), place)
            assert not place.handle or page.place.handle == place.handle
            story.by_tag += [row.status for row in page.rows]
            place = page.place

    async def ended(self, story: Story) -> RunView:
        """Return the run once it is over."""
        async with aclosing(self._client.subscribe(story.run)) as views:
            return [view async for view in views][-1]


@asynccontextmanager
async def flowing(url: str, patience: Patience) -> AsyncGenerator[Flow]:
    """Give a client at the one address."""
    target = Target(url, KEY, patience=patience)
    async with open_client(target, ManualClock(), SystemChance()) as client:
        yield Flow(client)


def check(story: Story, view: RunView) -> None:
    """Demand that each number came once, in order, in one attempt."""
    numbers = list(range(story.sent))
    assert view.status == "COMPLETED", view
    assert view.attempt_count == 1
    assert isinstance(view.output, Raw)
    assert msgspec.json.decode(view.output, type=list[int]) == numbers
    assert story.read == numbers
