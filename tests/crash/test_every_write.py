"""Laws 2, 3, 8, 10, 11: whichever write fails, before it lands or after, the end is the same.

Every workflow of the corpus is gone through once for each of its writes and each way to fail: the
call is answered with `Unavailable`, or the process ends there. On memory all of them; on SQLite a
choice, since each story makes its own file.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from headrace.backends.memory import open_memory
from headrace.backends.sqlite import open_sqlite
from headrace.testing.faults import Fault
from tests.crash.stories import NEVER, End, Opening, Story
from tests.explorer.loop import QuietLoop
from tests.worker.corpus import CORPUS
from tests.worker.workflows import Workflow

T = TypeVar("T")
ON_DISK = {
    "steps_and_waits",
    "a_wait_that_times_out",
    "gathers_with_a_deadline",
    "is_cancelled",
    "a_handler",
    "appends",
    "sends_to_itself",
}
# What a process says while it ends is no failure of the test.
pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def faults(writes: int) -> Iterator[Fault]:
    """List every way to fail."""
    for at in range(1, writes + 1):
        for crash in (False, True):
            for landed in (False, True):
                yield Fault(at, landed=landed, crash=crash)


Tell = Callable[[Story], End]


def undisturbed(flow: Workflow, tell: Tell) -> tuple[set[End], int]:
    """Return how the workflow may end, and how often it writes.

    A failure that is not on disk when the process ends is not remembered: it may as well not have
    happened.
    """
    plain = Story(flow, NEVER)
    return {tell(plain), tell(Story(replace(flow, failures=0), NEVER))}, plain.writes


def judge(flow: Workflow, story: Story, end: End, good: set[End]) -> None:
    assert end in good, story.fault
    extra = story.done - Counter(flow.effects)
    assert extra.total() <= 1, f"{story.fault}: more than the step under way was repeated"
    if not flow.failures:
        assert not Counter(flow.effects) - story.done, story.fault


def all_of(flow: Workflow, tell: Tell) -> None:
    good, writes = undisturbed(flow, tell)
    assert writes >= 6, "register, lease, claim, create, and two of its own at the least"
    for fault in faults(writes):
        story = Story(flow, fault)
        judge(flow, story, tell(story), good)
        assert story.lives == 1 + fault.crash or fault.at <= 2, "a crash ends one life"


@pytest.mark.parametrize("flow", CORPUS, ids=lambda flow: flow.name)
def test_in_memory(flow: Workflow) -> None:
    with asyncio.Runner(loop_factory=QuietLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, QuietLoop)
        loop.direct(partial(bool, 1))  # what is waited for comes from a thread
        all_of(flow, lambda story: runner.run(story.tell(open_memory)))


@pytest.mark.parametrize(
    "flow", [flow for flow in CORPUS if flow.name in ON_DISK], ids=lambda flow: flow.name
)
def test_on_disk(flow: Workflow, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        stories = iter(range(10_000))

        def tell(story: Story) -> End:
            path = tmp_path / f"{next(stories)}.db"
            opening: Opening = lambda clock: open_sqlite(path, clock=clock)  # noqa: E731
            return runner.run(story.tell(opening))

        all_of(flow, tell)


@pytest.mark.parametrize("landed", [False, True])
def test_a_run_whose_starter_asks_only_once_is_executed(*, landed: bool) -> None:
    """Nobody knows that it was created; if it was, it must not hang in a worker's hands."""
    flow = next(flow for flow in CORPUS if flow.name == "steps_and_waits")
    with asyncio.Runner(loop_factory=QuietLoop) as runner:
        for at in range(1, 9):
            story = Story(flow, Fault(at, landed=landed))
            states = runner.run(story.start_only(open_memory))
            assert states <= {"Waiting"}, story.fault


def test_the_choice_for_the_disk_exists() -> None:
    assert {flow.name for flow in CORPUS} >= ON_DISK
