"""Law 10 on SQLite: what was acknowledged is there after a power cut at any sync."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal

from headrace.backends.sqlite import Settings, open_sqlite
from headrace.kernel import commands as c
from headrace.kernel.machine import decide
from headrace.kernel.model import Key, Record, Run, RunId, Wait
from headrace.ports import Delivering, Order, Stores
from headrace.testing.contracts.given import APPROVAL, T0, draft, executing, queued
from tests.crash.powercut import LOSSES, cuts, lay_out
from tests.sqlite.disk import Disk, Wrote, disk
from tests.sqlite.raw import Raw, Row, raw

RUNS, ROUNDS = 6, 46
CUTS_AT_LEAST = 200


@dataclass(slots=True)
class Story:
    """What was acknowledged, and after how many events of the disk."""

    disk: Disk
    taken: list[tuple[int, RunId, int]] = field(default_factory=list[tuple[int, RunId, int]])
    created: list[tuple[int, RunId]] = field(default_factory=list[tuple[int, RunId]])

    def now(self) -> int:
        return len(self.disk.events)


async def live(stores: Stores, story: Story) -> None:
    """Let several runs take message after message, and start others, some at the same time."""
    assert isinstance(stores.streams, Delivering)
    runs = [await executing(stores, f"run-{n}") for n in range(RUNS)]
    for seq in range(ROUNDS):
        some = range(seq % RUNS + 1)
        landed = await asyncio.gather(*[_take(stores, runs[n], story) for n in some])
        runs[: len(landed)] = landed
        new = queued(f"new-{seq}")
        await stores.runs.create(new, Order(payload=b"x" * (seq * 37 % 2_000)))
        story.created.append((story.now(), new.id))


async def _take(stores: Stores, run: Run, story: Story) -> Run:
    assert isinstance(stores.streams, Delivering)
    seq = run.cursors.get(APPROVAL, 0)
    one = draft(run, seq, b"%d" % seq * (seq * 13 % 200 + 1), key=b"%d" % seq)
    wait = Wait(Key(f"/approval#{seq}"), APPROVAL, held=False)
    standing = decide(run, c.Stand(run.epoch, wait), T0).after
    record = Record(seq, one.body, one.at, one.key)
    change = decide(standing, c.Deliver(APPROVAL, (record,)), T0)
    await stores.streams.deliver([one], change)
    story.taken.append((story.now(), run.id, seq))
    return change.after


async def told(path: Path, slate: Disk, synchronous: Literal["FULL", "NORMAL"]) -> Story:
    settings = Settings(synchronous=synchronous, wal_pages=50, vfs=slate.name)
    story = Story(slate)
    slate.watched = True
    async with open_sqlite(path, settings=settings) as stores:
        await live(stores, story)
    return story


@dataclass(frozen=True, slots=True)
class Scene:
    """One cut: what had happened, and what the disk has kept."""

    story: Story
    position: int
    folder: Path

    def wrong(self) -> list[str]:
        """Return what is not as it was acknowledged."""
        file = self.folder / "headrace.db"
        if not file.exists():
            return ["the file is gone"] if self._acked() else []
        with raw(file) as db:
            if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                return ["the file is damaged"]
            if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'run'").fetchall():
                return ["there are no tables"] if self._acked() else []
            return [*self._lost(db), *_halves(db)]

    def _acked(self) -> bool:
        acked = [at for at, _ in self.story.created] + [at for at, *_ in self.story.taken]
        return any(at <= self.position for at in acked)

    def _lost(self, db: Raw) -> list[str]:
        runs = {run_id for (run_id,) in db.execute("SELECT id FROM run").fetchall()}
        sql = "SELECT run.id, seq FROM record JOIN run ON run.no = record.run"
        records = set(db.execute(sql).fetchall())
        lost = [f"run {i}" for at, i in self.story.created if at <= self.position and i not in runs]
        return lost + [
            f"record {seq} of {run_id}"
            for at, run_id, seq in self.story.taken
            if at <= self.position and (run_id, seq) not in records
        ]


def _halves(db: Raw) -> list[str]:
    """Return runs whose records, entries and cursor do not belong together."""
    sql = """
        SELECT id, entries, version,
            (SELECT count(*) FROM record WHERE run = run.no),
            (SELECT count(*) FROM entry WHERE run = run.no)
        FROM run WHERE id LIKE 'run-%'
    """
    return [
        f"{name} is half there: {entries} {version} {records} {answers}"
        for name, entries, version, records, answers in map(_numbers, db.execute(sql).fetchall())
        if not entries == records == answers or version not in {0, entries + 1}
    ]


def _numbers(row: Row) -> tuple[str, int, int, int, int]:
    name, entries, version, records, answers = row
    assert isinstance(name, str)
    assert isinstance(entries, int)
    assert isinstance(version, int)
    assert isinstance(records, int)
    assert isinstance(answers, int)
    return name, entries, version, records, answers


def judged(story: Story, folder: Path, seed: int) -> tuple[int, list[str]]:
    """Cut the power at every sync, in two ways each; return how often, and what was wrong."""
    folder.mkdir()
    random, wrong, count = Random(seed), list[str](), 0  # noqa: S311 - the same cuts again
    for position, platter in cuts(story.disk.events):
        count += 1
        for loss in ("all", LOSSES[count % len(LOSSES)]):
            lay_out(platter.found(loss, random), folder)
            scene = Scene(story, position, folder)
            wrong += [f"{what} (cut at {position}, lost: {loss})" for what in scene.wrong()]
    return count, wrong


async def test_what_was_acknowledged_survives_a_power_cut_at_any_sync(
    tmp_path: Path, seed: int
) -> None:
    with disk() as slate:
        story = await told(tmp_path / "headrace.db", slate, "FULL")
    count, wrong = judged(story, tmp_path / "found", seed)
    assert not wrong, wrong[:10]
    assert count >= CUTS_AT_LEAST
    assert len(story.taken) > 120
    copied = [e for e in story.disk.events if isinstance(e, Wrote) and e.path.endswith(".db")]
    assert len(copied) > 50  # the log was copied into the file, and used again, on the way


async def test_without_a_sync_for_every_commit_this_very_test_finds_losses(
    tmp_path: Path, seed: int
) -> None:
    with disk() as slate:
        story = await told(tmp_path / "headrace.db", slate, "NORMAL")
    _, wrong = judged(story, tmp_path / "found", seed)
    assert any(what.startswith("record") for what in wrong)
    assert not any("damaged" in what for what in wrong)


async def test_the_store_goes_on_after_a_power_cut(tmp_path: Path, seed: int) -> None:
    with disk() as slate:
        story = await told(tmp_path / "headrace.db", slate, "FULL")
    folder = tmp_path / "found"
    folder.mkdir()
    random, reopened = Random(seed), 0  # noqa: S311 - the same cuts again
    for position, platter in cuts(story.disk.events):
        taken = [seq for at, run_id, seq in story.taken if run_id == "run-0" and at <= position]
        if position % 20 or not taken:
            continue
        lay_out(platter.found("torn", random), folder)
        async with open_sqlite(folder / "headrace.db", settings=Settings(wal_pages=10)) as stores:
            run = await stores.runs.load(RunId("run-0"))
            assert run is not None
            again = await _take(stores, run, Story(slate))
            assert again.cursors[APPROVAL] > max(taken) + 1
            reopened += 1
    assert reopened > 4
