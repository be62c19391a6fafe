"""The explorer itself: each bug that is planted in the store is found, and called by its name."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from headrace.kernel.commands import Change
from headrace.kernel.model import Record, RunId, StreamId, WaitpointId
from headrace.ports import Draft
from tests.explorer.cast import BOTH, TWICE, A, Cast
from tests.explorer.laws import breaches
from tests.explorer.play import TIME, WORKER, explore
from tests.explorer.search import Report
from tests.explorer.stage import RUN
from tests.explorer.staged import (
    Backstage,
    Process,
    StagedDelivering,
    StagedRuns,
    StagedStreams,
    StagedWaitpoints,
)

pytestmark = pytest.mark.timeout(180)  # of searches: seconds alone, many on a busy machine


def _found(cast: Cast, backstage: Callable[[], Backstage]) -> str:
    """Return what was wrong with the first schedules that failed."""
    report: Report = explore(cast, backstage)
    return "\n".join(wrong for failure in report.failures for wrong in failure.wrong)


class BlindStreams(StagedDelivering):
    """Nobody reads the log a second time: what came between the two readings goes unseen."""

    reads = 0

    async def read(
        self, run_id: RunId, stream: StreamId, start: int, limit: int
    ) -> Sequence[Record]:
        self.reads += 1
        found = await super().read(run_id, stream, start, limit)
        return () if self.reads > 1 else found


class NoReReading(Backstage):
    def streams(self, process: Process, *, delivering: bool) -> StagedStreams:
        blind = process.name == WORKER
        return BlindStreams(process) if blind else super().streams(process, delivering=delivering)


def test_a_wait_that_does_not_read_the_log_again_is_found() -> None:
    found = _found(Cast(A, alone=False), NoReReading)
    assert "stands, and record 0 is in the log" in found


class StillCursors(StagedDelivering):
    """A take is committed without its cursor."""

    async def deliver(self, drafts: Sequence[Draft], change: Change) -> None:
        still = replace(change.after, cursors=change.before.cursors)
        await super().deliver(drafts, replace(change, after=still))


class ForgetfulCursors(Backstage):
    def streams(self, process: Process, *, delivering: bool) -> StagedStreams:
        assert delivering
        return StillCursors(process)


@pytest.mark.parametrize("alone", [True, False])
def test_a_cursor_that_does_not_move_with_the_take_is_found(*, alone: bool) -> None:
    found = _found(Cast(BOTH, alone=alone), ForgetfulCursors)
    assert "the takes lead to" in found


class Overwriting(StagedRuns):
    """The last to commit wins, whatever has happened since it looked."""

    async def commit(self, change: Change) -> None:
        await self._process.write("commit", frozenset({RUN}))
        run = self._process.stage.tables.runs[change.before.id]
        before = replace(change.before, version=run.version)
        after = replace(change.after, version=run.version + 1)
        await self._runs.commit(replace(change, before=before, after=after))


class NoGuard(Backstage):
    def runs(self, process: Process, *, delivering: bool) -> StagedRuns:
        return Overwriting(process, delivering=delivering)


def test_a_commit_without_the_guard_of_the_version_is_found() -> None:
    found = _found(Cast(A, alone=False), NoGuard)
    assert "REORDERED" in found


class SavingBlindly(StagedRuns):
    """A snapshot lands whatever has happened since its worker looked, and so does the leaving."""

    async def commit(self, change: Change) -> None:
        if change.saved is None:
            await super().commit(change)
            return
        await self._process.write("commit", frozenset({RUN}))
        run = self._process.stage.tables.runs[change.before.id]
        before = replace(change.before, version=run.version)
        after = replace(change.after, version=run.version + 1)
        await self._runs.commit(replace(change, before=before, after=after))


class NoGuardOfSnapshots(Backstage):
    def runs(self, process: Process, *, delivering: bool) -> StagedRuns:
        return SavingBlindly(process, delivering=delivering)


def test_a_run_that_is_left_in_spite_of_news_is_found() -> None:
    found = _found(Cast(A, alone=False, saves=True), NoGuardOfSnapshots)
    assert "0/ask#0 stands, and record 0 is in the log" in found


class LeavingFirst(StagedRuns):
    """The run is left in one commit; its snapshot would come in the next."""

    async def commit(self, change: Change) -> None:
        kept = change.before.saved
        left = replace(change, saved=None, after=replace(change.after, saved=kept))
        await super().commit(change if change.saved is None else left)


class TwoCommits(Backstage):
    def runs(self, process: Process, *, delivering: bool) -> StagedRuns:
        return LeavingFirst(process, delivering=delivering)


def test_a_journal_that_goes_before_its_snapshot_comes_is_found() -> None:
    found = _found(Cast(BOTH, saves=True, drops=True), TwoCommits)
    assert "of snapshots there are 0" in found


class DeafTimer(StagedDelivering):
    """The log is empty to whoever fires timers."""

    async def read(
        self, run_id: RunId, stream: StreamId, start: int, limit: int
    ) -> Sequence[Record]:
        await super().read(run_id, stream, start, limit)
        return ()


class TimersThatDoNotLook(Backstage):
    def streams(self, process: Process, *, delivering: bool) -> StagedStreams:
        deaf = process.name == TIME
        return DeafTimer(process) if deaf else super().streams(process, delivering=delivering)


def test_a_timeout_that_does_not_read_the_log_is_found() -> None:
    found = _found(Cast(A, timeout=True, held=False, alone=False), TimersThatDoNotLook)
    assert "timed out, and a record stood in the log" in found


class LateTimeouts(StagedRuns):
    """A timeout is committed though the token has got its value since somebody looked."""

    async def commit(self, change: Change) -> None:
        await self._process.write("commit", frozenset({RUN}))
        stage = self._process.stage
        known, stage.tables.waitpoints = stage.tables.waitpoints, {}
        try:
            await self._runs.commit(change)
        finally:
            stage.tables.waitpoints = known
        stage.wrong += breaches(stage.tables, change, stage.now, atomic=True)


class NoGuardOfTokens(Backstage):
    def runs(self, process: Process, *, delivering: bool) -> StagedRuns:
        return LateTimeouts(process, delivering=delivering)


def test_a_timeout_that_beats_a_completion_is_found() -> None:
    found = _found(Cast(A, token=True, timeout=True, alone=False), NoGuardOfTokens)
    assert "timed out, and the token had its value" in found


class ForgetfulWaitpoints(StagedWaitpoints):
    """Who waits for a token is not kept."""

    async def waiters(self, waitpoint: WaitpointId) -> Sequence[RunId]:
        await super().waiters(waitpoint)
        return ()

    async def owed(self, limit: int) -> Sequence[tuple[RunId, WaitpointId]]:  # noqa: ARG002
        return ()


class NoWaiters(Backstage):
    def waitpoints(self, process: Process) -> StagedWaitpoints:
        return ForgetfulWaitpoints(process)


def test_a_completion_that_wakes_nobody_is_found() -> None:
    found = _found(Cast(A, token=True), NoWaiters)
    assert "stands, and the token has its value" in found


class SecondValueCounts(StagedWaitpoints):
    """A token takes another value when it has one."""

    async def complete(self, waitpoint: WaitpointId, output: bytes) -> bool:
        await self._move("complete", writes=frozenset({RUN}))
        tables = self._process.stage.tables
        token = replace(tables.waitpoints[waitpoint], completed=None)
        tables.waitpoints[waitpoint] = token
        return await self._waitpoints.complete(waitpoint, output)


class TwoValues(Backstage):
    def waitpoints(self, process: Process) -> StagedWaitpoints:
        return SecondValueCounts(process)


def test_a_token_that_is_completed_twice_is_found() -> None:
    found = _found(Cast(BOTH, token=True, alone=False), TwoValues)
    assert "and the token has" in found


class Keyless(StagedDelivering):
    """A repeated key is appended again."""

    async def deliver(self, drafts: Sequence[Draft], change: Change) -> None:
        await super().deliver([replace(draft, key=b"") for draft in drafts], change)


class NoKeys(Backstage):
    def streams(self, process: Process, *, delivering: bool) -> StagedStreams:
        assert delivering
        return Keyless(process)


@pytest.mark.parametrize("alone", [True, False])
def test_a_key_that_is_not_kept_is_found(*, alone: bool) -> None:
    found = _found(Cast(TWICE, alone=alone), NoKeys)
    assert "DOUBLED" in found
