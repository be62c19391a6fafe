"""One campaign: a fleet, four senders, and somebody who kills.

Owns: who is killed when, and the order of everything. Must never know: what is right.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from headrace.backends.sqlite import open_sqlite
from tests.chaos import workload
from tests.chaos.callers import KINDS
from tests.chaos.desk import Desk
from tests.chaos.ending import endings
from tests.chaos.watching import Watch
from tests.chaos.works import SERVER, STANDING, Work
from tests.fleet.nursery import Nursery
from tests.fleet.processes import Fleet, Member, fleet
from tests.history import events as e

ROOT: Final = Path(__file__).parents[2]
AHEAD: Final = 4
"""How much is sent in the calm, in shares of a kill."""
SETTLE_S: Final = 120.0
SENDS_S: Final = 5.0
"""How long a kill waits at the most for a message to be under way."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is sent, to how many runs, and how often something is killed."""

    seed: int
    messages: int = 10_000
    kills: int = 200
    runs: int = 12
    work: Work = STANDING

    @property
    def share(self) -> int:
        """Return how many messages each sender sends."""
        return self.messages // len(KINDS)


Progress = Callable[[int], None]
"""Told how many kills there were."""


@dataclass(slots=True)
class Campaign:
    """One campaign in progress."""

    plan: Plan
    fleet: Fleet
    pen: e.Pen
    chance: random.Random
    hire: Callable[[], Member]
    """Starts a worker."""
    histories: Path
    members: dict[str, Member] = field(default_factory=dict[str, Member])
    started: dict[str, int] = field(default_factory=dict[str, int])

    def start(self) -> None:
        """Start everybody who may be killed later."""
        for name in (SERVER, *self.plan.work.workers):
            self._start(name)

    def _start(self, name: str) -> None:
        self.members[name] = self.fleet.server() if name == SERVER else self.hire()
        self.started[name] = e.instant()

    def strike(self) -> None:
        """Kill somebody, perhaps two at once, and start them again."""
        victims, down = self._victims(), wall_ms()
        for name in victims:
            self.members[name].kill()
            who = str(self.members[name].pid)
            self.pen.write(e.Fault(at=e.instant(), kind=name.split()[0], who=who))
        for name in victims:
            self._start(name)
        if SERVER in victims:
            self.pen.write(e.Outage(at=e.instant(), from_ms=down, until_ms=wall_ms()))

    def _victims(self) -> list[str]:
        work, chance = self.plan.work, self.chance
        victims = [chance.choice(self._unspared(work.victims))]
        if victims == [SERVER] and chance.random() < work.both:
            victims.append(chance.choice(self._unspared(work.workers)))
        return victims

    def _unspared(self, names: tuple[str, ...]) -> tuple[str, ...]:
        spares = self.plan.work.spares
        if not spares or self.chance.random() >= spares:
            return names
        return tuple(name for name in names if name != self._newest)

    @property
    def _newest(self) -> str:
        return max(self.plan.work.workers, key=self.started.__getitem__)

    def _rest_s(self) -> tuple[float, float]:
        rests = self.plan.work.rests_s
        return rests[0] if len(rests) == 1 else self.chance.choice(rests)

    def rage(self, senders: list[subprocess.Popen[bytes]], progress: Progress) -> None:
        """Let the senders send, and kill meanwhile, until both have had their share."""
        for kill in range(1, self.plan.kills + 1):
            halves = [
                self.plan.share * n // (2 * self.plan.kills) for n in (2 * kill - 1, 2 * kill)
            ]
            allow(senders, halves[0])
            time.sleep(self.chance.uniform(*self._rest_s()))
            written = self._written()
            allow(senders, halves[1])
            self._until_sending(written)
            self.strike()
            progress(kill)
            if kill % self.plan.work.calm_every == 0 and kill < self.plan.kills:
                allow(senders, self.plan.share * (kill + AHEAD) // self.plan.kills)
                time.sleep(self.plan.work.calm_s)

    def _until_sending(self, written: int) -> None:
        """Return when somebody has begun to send: a kill in a silence would show nothing."""
        limit = time.monotonic() + SENDS_S
        while self._written() == written and time.monotonic() < limit:
            time.sleep(0.0005)

    def _written(self) -> int:
        """Return how much the senders have written down."""
        return sum(file.stat().st_size for file in self.histories.glob("sender-*.jsonl"))


def wall_ms() -> int:
    """Return the present by the clock on the wall."""
    return time.time_ns() // 1_000_000


def allow(senders: list[subprocess.Popen[bytes]], total: int) -> None:
    """Let each have sent so many by now."""
    for sender in senders:
        assert sender.stdin is not None
        with suppress(BrokenPipeError):  # it has had its share; whether it was all, its end tells
            sender.stdin.write(b"%d\n" % total)
            sender.stdin.flush()


@contextmanager
def sending(
    plan: Plan,
    surroundings: Mapping[str, Mapping[str, str]],
    runs: list[str],
    folder: Path,
    *,
    patience_s: float = SETTLE_S,
) -> Generator[list[subprocess.Popen[bytes]]]:
    """Start a sender of each kind, each in its surroundings; in the end wait until all is sent."""
    found = list[subprocess.Popen[bytes]]()
    try:
        for kind in KINDS:
            history = str(folder / f"sender-{kind}.jsonl")
            streams = ",".join(plan.work.streams)
            words = (kind, str(plan.seed), str(plan.share), history, streams, *runs)
            found.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.chaos.sender", *words],
                    cwd=ROOT,
                    env=surroundings[kind],
                    stdin=subprocess.PIPE,
                )
            )
        yield found
        for sender in found:
            if sender.wait(patience_s):
                raise RuntimeError(f"a sender ended with {sender.returncode}")
    finally:
        for sender in found:
            if sender.poll() is None:
                sender.kill()
                sender.wait()
            if sender.stdin is not None:
                with suppress(BrokenPipeError):
                    sender.stdin.close()


def run(plan: Plan, folder: Path, progress: Progress) -> list[e.Event]:
    """Go through a campaign in an empty folder; return its history."""
    histories = folder / "history"
    histories.mkdir()
    work, extra = plan.work, {workload.HISTORY: str(histories)}
    with ExitStack() as stack:
        ships = stack.enter_context(fleet(folder, work.file, extra))
        pen = stack.enter_context(e.Pen(histories / "campaign.jsonl"))
        desk = stack.enter_context(Desk(ships.site, work.streams))
        hire = stack.enter_context(Nursery(ships)).worker if work.is_copied else ships.worker
        chance = random.Random(plan.seed)  # noqa: S311 - no secret
        campaign = Campaign(plan, ships, pen, chance, hire, histories)
        campaign.start()
        runs = desk.trigger(work.tasks, plan.runs)
        stack.enter_context(Watch(ships.site.database, histories / "watch.jsonl"))
        callers: dict[str, dict[str, str]] = {kind: ships.site.caller() for kind in KINDS}
        with sending(plan, callers, runs, histories) as senders:
            campaign.rage(senders, progress)
        desk.finish(runs, pen, patience_s=SETTLE_S)
        for name in (*work.workers, SERVER):
            campaign.members[name].stop()
        last = endings(open_sqlite(ships.site.database), runs, work.streams)
    return [*e.merge(e.read(path) for path in sorted(histories.glob("*.jsonl"))), *last]
