"""One campaign: a fleet, four senders, and somebody who kills.

Owns: who is killed when, and the order of everything. Must never know: what is right.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos import workload
from tests.chaos.callers import KINDS
from tests.chaos.desk import Desk
from tests.chaos.ending import endings
from tests.fleet.processes import Fleet, Member, fleet
from tests.history import events as e

ROOT: Final = Path(__file__).parents[2]
SERVER: Final = "server"
WORKERS: Final = ("worker 1", "worker 2")
LEAST_S, MOST_S = 0.005, 0.12
"""How long the fleet is left alone between two kills, beside the time that it takes to come up."""
CALM_EVERY, CALM_S = 10, 7.0
"""How often nothing is killed, for longer than a lease: a server that was started again gives every
worker a whole one, so that the runs of the dead would never be taken over."""
AHEAD: Final = 4
"""How much is sent in the calm, in shares of a kill."""
BOTH: Final = 0.15
"""How often a worker is killed while the server is down."""
SETTLE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is sent, to how many runs, and how often something is killed."""

    seed: int
    messages: int = 10_000
    kills: int = 200
    runs: int = 12

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
    members: dict[str, Member] = field(default_factory=dict[str, Member])

    def start(self) -> None:
        """Start everybody who may be killed later."""
        self.members[SERVER] = self.fleet.server()
        for name in WORKERS:
            self.members[name] = self.fleet.worker()

    def strike(self) -> None:
        """Kill somebody, perhaps two at once, and start them again."""
        victims = [self.chance.choice((SERVER, SERVER, *WORKERS))]
        if victims == [SERVER] and self.chance.random() < BOTH:
            victims.append(self.chance.choice(WORKERS))
        down = _wall_ms()
        for name in victims:
            self.members[name].kill()
            self.pen.write(e.Fault(at=e.instant(), kind=name.split()[0]))
        for name in victims:
            self.members[name] = self.fleet.server() if name == SERVER else self.fleet.worker()
        if SERVER in victims:
            self.pen.write(e.Outage(at=e.instant(), from_ms=down, until_ms=_wall_ms()))

    def rage(self, senders: list[subprocess.Popen[bytes]], progress: Progress) -> None:
        """Let the senders send, and kill meanwhile, until both have had their share."""
        for kill in range(1, self.plan.kills + 1):
            _allow(senders, self.plan.share * kill // self.plan.kills)
            time.sleep(self.chance.uniform(LEAST_S, MOST_S))
            self.strike()
            progress(kill)
            if kill % CALM_EVERY == 0:
                _allow(senders, self.plan.share * (kill + AHEAD) // self.plan.kills)
                time.sleep(CALM_S)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _allow(senders: list[subprocess.Popen[bytes]], total: int) -> None:
    for sender in senders:
        assert sender.stdin is not None
        with suppress(BrokenPipeError):  # it has had its share; whether it was all, its end tells
            sender.stdin.write(b"%d\n" % total)
            sender.stdin.flush()


@contextmanager
def _senders(
    campaign: Campaign, runs: list[str], folder: Path
) -> Generator[list[subprocess.Popen[bytes]]]:
    plan, found = campaign.plan, list[subprocess.Popen[bytes]]()
    try:
        for kind in KINDS:
            history = str(folder / f"sender-{kind}.jsonl")
            words = (kind, str(plan.seed), str(plan.share), history, *runs)
            found.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.chaos.sender", *words],
                    cwd=ROOT,
                    env=campaign.fleet.site.caller(),
                    stdin=subprocess.PIPE,
                )
            )
        yield found
        for sender in found:
            if sender.wait(SETTLE_S):
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
    file, extra = Path(workload.__file__), {workload.HISTORY: str(histories)}
    with (
        fleet(folder, file, extra) as ships,
        e.Pen(histories / "campaign.jsonl") as pen,
        Desk(ships.site) as desk,
    ):
        campaign = Campaign(plan, ships, pen, random.Random(plan.seed))  # noqa: S311 - no secret
        campaign.start()
        runs = desk.trigger(plan.runs)
        with _senders(campaign, runs, histories) as senders:
            campaign.rage(senders, progress)
        desk.finish(runs, pen, patience_s=SETTLE_S)
        for name in (*WORKERS, SERVER):
            campaign.members[name].stop()
        last = endings(ships.site.database, runs)
    return [*e.merge(e.read(path) for path in sorted(histories.glob("*.jsonl"))), *last]
