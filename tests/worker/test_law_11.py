"""Laws 3, 6, 8 and 11 on the worker's side: whatever breaks, the same result, and nothing twice.

Every workflow of the corpus runs undisturbed, with a replay at every wait, with its worker killed
at every entry of its journal, and over a connection that breaks.
"""

from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from typing import Any, cast

import msgspec
import pytest

from headrace.frames import resumable
from headrace.kernel.model import Entry
from headrace.sdk.awaited import Awaited
from headrace.sdk.execution_question import Place
from headrace.wire.views import RunView
from headrace.worker import Options, holdings
from tests.sdk.played import again
from tests.worker.corpus import CORPUS
from tests.worker.scene import PLAIN, SAVING, Faults, Job, Scene, employed, setting
from tests.worker.workflows import Cancel, Event, Pass, Send, Workflow, World

ALL = pytest.mark.parametrize("flow", CORPUS, ids=lambda flow: flow.name)


def job(flow: Workflow, world: World) -> Job:
    async def code(_payload: bytes) -> bytes:
        return msgspec.json.encode(await flow.code(world))

    return Job("job", code)


class Kept(Job):
    """A workflow whose code can be saved while it waits."""

    is_resumable = True
    keep_warm_ms = None

    def __init__(self, flow: Workflow, world: World) -> None:
        super().__init__("job", job(flow, world)._code)
        self._flow, self._world = resumable(flow.code), world

    def call(self, _payload: bytes) -> Coroutine[Any, Any, Any]:
        return cast("Coroutine[Any, Any, Any]", self._flow(self._world))

    def again(self, place: Place, kept: object, *, unwraps: bool) -> Awaited[Any]:
        assert kept is True
        assert not unwraps
        return again(place)

    def encoded(self, result: object) -> bytes:
        return msgspec.json.encode(result)


async def happen(scene: Scene, run: str, event: Event) -> None:
    match event:
        case Send(stream=stream, body=body):
            await scene.api.send(run, stream, body)
        case Pass(ms=ms):
            await scene.pass_time(ms)
        case Cancel():
            await scene.api.cancel(run)
    await scene.calm()


async def judge(scene: Scene, run: str, flow: Workflow) -> tuple[Entry, ...]:
    """Check what holds for every run of the workflow, however it went."""
    view = await scene.over(run)
    assert (view.status, _output(view)) == (flow.status, flow.result), view.error
    journal = await scene.journal(run)
    for stream in {entry.stream for entry in journal if entry.kind == "take"}:
        seqs = [e.seq for e in journal if e.stream == stream and e.kind == "take" and e.seq >= 0]
        assert seqs == list(range(len(seqs))), f"{stream}: each once, in order"
    out = [bytes(r.data) async for r in scene.api.tail(run, "out", inward=False)]
    assert tuple(out) == flow.out
    return journal


def _output(view: RunView) -> object:
    raw = view.output
    return None if isinstance(raw, msgspec.UnsetType) else msgspec.json.decode(raw)


def told(journal: tuple[Entry, ...]) -> list[tuple[str, str, str, bytes]]:
    return sorted((e.key, e.kind, e.ending, e.body) for e in journal)


async def played(
    flow: Workflow, faults: Faults | None = None, options: Options = PLAIN
) -> tuple[Entry, ...]:
    """Play a workflow to its end with one worker, and return its journal."""
    world = World(failures=flow.failures)
    async with (
        setting(Kept(flow, world)) as scene,
        employed(scene.worker("w", faults, options)),
    ):
        run = await scene.start()
        await scene.calm()
        for event in flow.events:
            await happen(scene, run, event)
        journal = await judge(scene, run, flow)
    assert Counter(world.done) == Counter(flow.effects)
    return journal


@ALL
async def test_it_does_what_it_should(flow: Workflow) -> None:
    await played(flow)


@ALL
async def test_a_replay_at_every_wait_changes_nothing(flow: Workflow) -> None:
    evicting = replace(PLAIN, evicts=True, strict=True)
    assert told(await played(flow, options=evicting)) == told(await played(flow))


@ALL
@pytest.mark.parametrize("hears_it", [False, True], ids=["unheard", "heard"])
async def test_a_worker_killed_at_any_entry_changes_nothing(
    flow: Workflow,
    hears_it: bool,  # noqa: FBT001
) -> None:
    entries = len(await played(flow))
    for n in range(entries):
        await killed_at(flow, Faults(kill_at=n, hears_it=hears_it))


@ALL
async def test_a_snapshot_at_every_wait_changes_nothing(flow: Workflow) -> None:
    assert told(await played(flow, options=SAVING)) == told(await played(flow))


@ALL
@pytest.mark.parametrize("hears_it", [False, True], ids=["unheard", "heard"])
async def test_a_killed_worker_that_saves_at_every_wait_changes_nothing(
    flow: Workflow,
    hears_it: bool,  # noqa: FBT001
) -> None:
    entries = len(await played(flow))
    for n in range(entries):
        await killed_at(flow, Faults(kill_at=n, hears_it=hears_it), SAVING)


@ALL
@pytest.mark.parametrize("first", range(1, 8))
async def test_a_connection_that_breaks_around_snapshots_changes_nothing(
    flow: Workflow, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdings, "AGAIN_S", 0.0)
    for gap in (3, 5, 7):
        await played(flow, Faults(cut_before=frozenset(range(first, 200, gap))), SAVING)


async def killed_at(flow: Workflow, faults: Faults, options: Options = PLAIN) -> None:
    world = World(failures=flow.failures)
    async with setting(Kept(flow, world)) as scene:
        events = iter(flow.events)
        async with employed(scene.worker("first", faults, options)):
            run = await scene.start()
            await scene.calm()
            await _until_killed(scene, run, events, faults)
        await scene.bury()
        async with employed(scene.worker("second", options=options)):
            await scene.calm()
            for event in events:
                await happen(scene, run, event)
            await judge(scene, run, flow)
    extra = Counter(world.done) - Counter(flow.effects)
    assert extra.total() <= 1, "at most the step under way is repeated"
    assert not Counter(flow.effects) - Counter(world.done)


async def _until_killed(scene: Scene, run: str, events: Iterator[Event], faults: Faults) -> None:
    while not faults.killed.is_set():
        event = next(events, None)
        if event is not None:
            await happen(scene, run, event)
        elif await scene.ended_or(run, faults.killed):
            return  # what the entry was told with had ended the run


@ALL
@pytest.mark.parametrize("first", range(1, 5))
async def test_a_connection_that_breaks_changes_nothing(flow: Workflow, first: int) -> None:
    for gap in (3, 5, 7):
        await played(flow, Faults(cut_before=frozenset(range(first, 200, gap))))
