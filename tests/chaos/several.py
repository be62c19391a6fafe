"""A campaign against several servers on one database, in waves; each wave is judged by itself.

In a wave some runs are started, four senders send to them at an even pace, and troubles follow each
other until all is sent. The processes live on from wave to wave.

Owns: which processes there are, what befalls them when. Must never know: what is right.
"""

from __future__ import annotations

import math
import random
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Final, Self

from tests.chaos import workload
from tests.chaos.apart import Wire
from tests.chaos.callers import SERVERS
from tests.chaos.campaign import Plan, allow, sending, wall_ms
from tests.chaos.desk import Desk
from tests.chaos.ending import endings
from tests.chaos.shared import ADDRESSES, KEY, SNAPSHOT_KEY, Place, Shared, sharing
from tests.chaos.troubles import Trouble, troubles
from tests.chaos.works import STANDING
from tests.fleet.nursery import Nursery
from tests.fleet.processes import Fleet, Member, Site, free_port
from tests.history import events as e
from tests.history.recovery import WAKES

WORKERS: Final = {"worker 1": 0, "worker 2": 1, "worker 3": 1}
"""Each with the server that it works for."""
SENDERS: Final = {"sync": 0, "async": 1, "http": 0, "raw": 1}
"""Each with its server, in every other wave with the other one; the last sends to both in turn, and
so what the one did not answer goes to the other."""
ANSWER_S: Final = 1.5
"""How long the last two wait for an answer before they call again."""
TWO_AT_ONCE: Final = 0.15
SETTLE_S: Final = 600.0
"""Enough for a machine on which others have the processors."""
BEAT_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Course:
    """A whole campaign: how much is sent, how fast, and how long all are left alone."""

    place: Place
    seed: int
    sends: int = 100_000
    per_wave: int = 8_000
    runs: int = 16
    """In a wave."""
    pace: float = 90.0
    """Messages a second."""
    calm_s: float = 2.5
    """Between a healing and the next trouble."""
    kinds: tuple[str, ...] = ()
    """Only these kinds of trouble, in this order; none: all, by chance."""
    most_s: float = math.inf
    """After so long no other wave begins."""
    soon_ms: int = 2_000
    """How late a timer may be, and how soon 99 % of what was held up go on, once all is whole."""
    has_zombies: bool = True
    """Whether a worker that was halted must have come back to runs of others, to prove anything."""

    def waves(self) -> Iterator[Plan]:
        """Divide it."""
        whole = -(-self.sends // self.per_wave)
        for n in range(whole):
            yield Plan(
                self.seed * 1_000 + n, messages=self.sends // whole + 4, kills=0, runs=self.runs
            )


_BRIEF: Final[dict[Place, tuple[str, ...]]] = {
    "postgres+redis": (
        "server killed",
        "Postgres restarted, immediate",
        "Redis FLUSHALL",
        "worker halted past its lease",
        "answers of Postgres lost",
        "Redis restarted",
        "Postgres connections terminated",
    ),
    "postgres+redis+s2": (
        "S2 killed",
        "worker killed",
        "answers of S2 lost",
        "requests to Redis lost",
        "server halted",
        "Redis out of memory",
    ),
}


def brief_course(place: Place, seed: int) -> Course:
    """Return one that is over in less than a minute: one wave, some kinds of trouble.

    Other tests have the processors meanwhile, so nobody is asked to be soon. Of so few runs the one
    worker that is halted may hold none.
    """
    brief = Course(place, seed, sends=1_300, runs=6, pace=40.0, calm_s=1.5, kinds=_BRIEF[place])
    return replace(brief, soon_ms=10_000, has_zombies=False)


@dataclass(slots=True)
class Ships:
    """The servers and the workers of each."""

    fleets: list[Fleet]
    nurseries: list[Nursery]
    members: dict[str, Member] = field(default_factory=dict[str, Member])

    @property
    def ports(self) -> tuple[int, ...]:
        return tuple(one.site.port for one in self.fleets)

    def start(self, name: str) -> None:
        """Start a process, new or killed; return when it serves."""
        kind, number = name.split()
        if kind == "server":
            self.members[name] = self.fleets[int(number) - 1].server()
        else:
            self.members[name] = self.nurseries[WORKERS[name]].worker()

    def start_all(self) -> None:
        """Start everybody: the servers first."""
        for name in (*(f"server {n + 1}" for n in range(len(self.fleets))), *WORKERS):
            self.start(name)

    def stop(self) -> None:
        """Let everybody end in order."""
        for name in reversed(self.members):
            self.members[name].stop()


@dataclass(slots=True)
class Wave:
    """What befalls a wave."""

    course: Course
    pen: e.Pen
    chance: random.Random
    kinds: Iterator[Trouble]
    ships: Ships

    def befall(self) -> None:
        """Let one trouble come and go, perhaps two at once, then leave all alone."""
        first = next(self.kinds)
        both = [first]
        if not self.course.kinds and self.chance.random() < TWO_AT_ONCE:
            second = next(self.kinds)
            both += [second] if second.who != first.who else []
        lasts = max(self.chance.uniform(*one.lasts_s) for one in both)
        began, down = e.instant(), wall_ms()
        for one in both:
            self.pen.write(e.Fault(at=e.instant(), kind=one.kind, who=one.who))
            one.strike(lasts)
        time.sleep(lasts)
        for one in sorted(both, key=_comes_back):
            self._wake(one)
            one.heal()
        self._healed(both, began, down)

    def _wake(self, one: Trouble) -> None:
        if one.kind == "worker halted past its lease":
            pid = str(self.ships.members[one.who].pid)
            self.pen.write(e.Fault(at=e.instant(), kind=WAKES, who=pid))

    def _healed(self, both: list[Trouble], began: int, down: int) -> None:
        """Write down from when on nobody has an excuse; leave all alone until a while after it."""
        now = e.instant()
        whole = max(_whole(one, began, now) for one in both)
        for one in both:
            self.pen.write(e.Healed(at=whole, kind=one.kind, since=began))
        if any(one.stops_timers for one in both):
            self.pen.write(e.Outage(at=now, from_ms=down, until_ms=wall_ms()))
        time.sleep(max(0, whole - now) / 1e9 + self.course.calm_s)


def _comes_back(one: Trouble) -> int:
    """Say how late: a worker needs its server, a server what it keeps things in."""
    return ("server", "worker").index(one.who.split()[0]) + 1 if " " in one.who else 0


def _whole(one: Trouble, began: int, now: int) -> int:
    """A process that was killed is gone until its lease is over; one that stands still, too."""
    if one.takes_over_s is None:
        return now
    over = began + int(one.takes_over_s * 1e9)
    return over if one.kind.endswith("killed") else min(over, now)


def _drawn(all_of_them: list[Trouble], course: Course, chance: random.Random) -> Iterator[Trouble]:
    """Yield them for ever, each kind as often as the others, whoever the victim is."""
    kinds = list(dict.fromkeys(one.kind for one in all_of_them))
    while True:
        wanted = list(course.kinds) or chance.sample(kinds, len(kinds))
        for kind in wanted:
            yield chance.choice([one for one in all_of_them if one.kind == kind])


class Pacer:
    """Lets the senders send at an even pace, as long as the block lasts.

    Of what is left `kept` is kept back: for troubles that have yet to come.
    """

    def __init__(self, senders: list[subprocess.Popen[bytes]], plan: Plan, pace: float) -> None:
        self._senders, self._share = senders, plan.share
        self._each = pace / len(senders)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pacer")
        self.is_done = False
        self.kept = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        while not self.is_done and not self._is_over.wait(BEAT_S):
            most = int(self._share * (1 - self.kept))
            due = min(most, int((time.monotonic() - began) * self._each))
            allow(self._senders, due)
            self.is_done = due == self._share


@contextmanager
def _ships(folder: Path, shared: Shared, history: Path) -> Generator[Ships]:
    """Make folders and fleets. Workers have a home of their own: they come by TCP."""
    extra = {"HEADRACE_SECRET_KEY": KEY, "HEADRACE_SNAPSHOT_KEY": SNAPSHOT_KEY}
    extra[workload.HISTORY] = str(history)
    with ExitStack() as stack:
        fleets, nurseries = list[Fleet](), list[Nursery]()
        for n, address in enumerate(ADDRESSES, 1):
            place = folder / f"server-{n}"
            home = place / ".headrace"
            home.mkdir(parents=True, mode=0o700)
            (home / "key").write_text(KEY, "ascii")
            site = Site(place, free_port(), STANDING.file, shared.environment(address))
            far = Site(folder / f"workers-{n}", site.port, STANDING.file, extra)
            far.folder.mkdir()
            fleets.append(Fleet(site))
            nurseries.append(stack.enter_context(Nursery(Fleet(far))))
            stack.callback(fleets[-1].end)
        yield Ships(fleets, nurseries)


def _surroundings(ships: Ships, turn: int) -> dict[str, dict[str, str]]:
    sites = [one.site for one in ships.fleets]
    both = {"HEADRACE_TEST_ANSWER_S": str(ANSWER_S)}
    found = {kind: sites[(n + turn) % 2].caller() | both for kind, n in SENDERS.items()}
    found["raw"][SERVERS] = " ".join(site.url for site in sites)
    return found


Judge = Callable[[Plan, list[e.Event]], None]
"""Is given each wave and its history."""


def fight(course: Course, folder: Path, judge: Judge) -> None:
    """Go through a campaign in an empty folder."""
    taken = folder / "taken"
    taken.mkdir()
    chance = random.Random(course.seed)  # noqa: S311 - no secret
    with ExitStack() as stack:
        shared = stack.enter_context(sharing(course.place, folder / "s2"))
        ships = stack.enter_context(_ships(folder, shared, taken))
        ships.start_all()
        kinds = _drawn(troubles(ships, shared, Wire()), course, chance)
        until = time.monotonic() + course.most_s
        for n, plan in enumerate(course.waves()):
            if time.monotonic() > until:
                break
            place = folder / f"wave-{n}"
            place.mkdir()
            with e.Pen(place / "campaign.jsonl") as pen:
                wave = Wave(course, pen, chance, kinds, ships)
                runs = _waved(wave, plan, place)
            last = endings(shared.opened(folder / "judge"), runs, plan.work.streams)
            judge(plan, [*_history(place, taken, runs), *last])
        ships.stop()


def _waved(wave: Wave, plan: Plan, place: Path) -> list[str]:
    site = wave.ships.fleets[0].site
    with Desk(site, plan.work.streams) as desk:
        runs = desk.trigger(plan.work.tasks, plan.runs)
        callers = _surroundings(wave.ships, plan.seed)
        with (
            sending(plan, callers, runs, place, patience_s=SETTLE_S) as senders,
            Pacer(senders, plan, wave.course.pace) as pacer,
        ):
            for n in count(1):
                pacer.kept = max(0.0, 1 - n / (len(wave.course.kinds) or 1))
                wave.befall()
                if pacer.is_done:
                    break
        desk.finish(runs, wave.pen, patience_s=SETTLE_S)
    return runs


def _history(place: Path, taken: Path, runs: list[str]) -> list[e.Event]:
    """Put together what the wave's own processes saw, and what workers saw of its runs."""
    own = [e.read(path) for path in sorted(place.glob("*.jsonl"))]
    theirs = [_of(runs, path) for path in sorted(taken.glob("*.jsonl"))]
    return e.merge([*own, *theirs])


def _of(runs: list[str], path: Path) -> Iterator[e.Event]:
    wanted = set(runs)
    for event in e.read(path):
        if isinstance(event, e.TakeInvoke | e.TakeOk) and event.run in wanted:
            yield event
