"""Servers, workers, a database, Redis and S2, event by event.

Owns: the way of a message to a run, and of a run to a worker. Must never know: what is shown of it.

Rule 1: no object for a run: it is a number. What stands in the heap is what happens next.
Rule 2: chance comes from the seed alone, and equal moments are told apart by their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final, TypeAlias

from bench.scale import parameters as p
from bench.scale.chance import STEPS, arrivals, draws, spread
from bench.scale.model import RENEWALS
from bench.scale.plan import Disaster, Plan
from bench.scale.stations import Database, Loop
from bench.scale.tally import NEVER, Tally

(
    ARRIVE,
    APPENDED,
    WRITTEN,
    HEARD,
    CLAIMED,
    STARTED,
    PARKED,
    WRITE,
    CLAIM,
    CONNECT,
    KILL,
    REACHED,
    LOST,
) = range(13)
OFFER, TAKE, PARK, LOSE = range(4)
"""What is written. In a queue it stands with whom it is about: `who << 2 | stage`."""
Event: TypeAlias = tuple[float, int, int, int, int, list[int]]
"""When, a number in order, what, who, at which server, and whom else."""
Happening: TypeAlias = Callable[[float, int, int, list[int]], None]
NOBODY: Final = list[int]()


class Server:
    """One server with its workers; what it has to write waits for the group before it."""

    __slots__ = (
        "backlog",
        "claiming",
        "loop",
        "phase",
        "queue",
        "room",
        "turn",
        "workers",
        "writing",
    )

    def __init__(self, chores_s: float, phase: float, *, at_once: bool) -> None:
        """Look for what hints have missed at every `LOOK`, later by `phase` of it."""
        self.loop = Loop(chores_s, at_once=at_once)
        self.workers = [Loop() for _ in range(round(p.WORKERS.value))]
        self.queue = deque[int]()
        self.backlog = deque[int]()
        self.writing = self.claiming = False
        self.room = round(p.WORKERS.value * p.SLOTS.value)
        self.phase = phase
        self.turn = 0


class Fleet:
    """One simulated time. Numbers: runs that left, then messages to live runs, then lost runs."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        # Of their own, so that policies are compared in the same world.
        self._come, self._draw, self._vary = (draws(3 * plan.seed + nth) for nth in range(3))
        self.database = Database(self._draw)
        self.tally = Tally(plan.answered + plan.chat + plan.lost)
        self._append = spread(p.APPEND_P50.value, p.APPEND_P99.value)
        self._jitter, self._group = plan.policy.jitter, plan.policy.group
        chores = plan.live / plan.servers * p.LOOP_LOOK.value
        self.servers = [
            Server(chores, self._vary() if self._jitter else 0.0, at_once=not self._jitter)
            for _ in range(plan.servers)
        ]
        self._heap = list[Event]()
        self._order = count()
        self._tries = dict[int, int]()
        self._answers: Iterator[tuple[int, float]] = iter(())
        self._chats: Iterator[tuple[int, float]] = iter(())

    def run(self) -> Tally:
        """Let everything happen."""
        plan, heap = self.plan, self._heap
        begin = plan.begins if plan.disaster is Disaster.CROWD else 0.0
        chats = arrivals(plan.chat, begin, plan.answers_s, self._come)
        self._chats = enumerate(chats, plan.answered)
        self._answers = enumerate(arrivals(plan.answered, begin, plan.answers_s, self._come))
        self._break()
        self._follow(self._answers)
        self._follow(self._chats)
        happen = self._happenings()
        while heap:
            now, _, what, who, at, whom = heappop(heap)
            happen[what](now, who, at, whom)
        return self.tally

    def _happenings(self) -> tuple[Happening, ...]:
        """Return what happens, in the order of the numbers above."""
        return (
            self._arrive,
            self._appended,
            self._written,
            self._heard,
            self._claimed,
            self._started,
            self._parked,
            self._write,
            self._claim_again,
            self._connect,
            self._kill,
            self._reached,
            self._lose,
        )

    def _push(self, when: float, what: int, who: int, at: int, whom: list[int] = NOBODY) -> None:
        heappush(self._heap, (when, next(self._order), what, who, at, whom))

    def _follow(self, source: Iterator[tuple[int, float]]) -> None:
        for who, when in source:
            self._push(when, ARRIVE, who, -1)
            return

    # A message comes.

    def _arrive(self, now: float, who: int, _at: int, _whom: list[int]) -> None:
        tally = self.tally
        if tally.sent[who] == NEVER:
            tally.begin(who, now)
            self._follow(self._answers if who < self.plan.answered else self._chats)
        tally.attempts += 1
        if self._are_down(now):
            self._again(now, who)
            return
        at = int(self._draw() * self.plan.servers)
        heard = self.servers[at].loop.passed(now, p.LOOP_SEND.value)
        if who in self._tries:  # it may stand there already: the log is asked
            tally.reads += 1
        tally.appends += 1
        asked = heard + self._append[int(self._draw() * STEPS)] + p.REDIS.value
        self._push(asked, APPENDED, who, at)

    def _appended(self, now: float, who: int, at: int, _whom: list[int]) -> None:
        """The record is durable, and Redis was asked whether the run is live."""
        self.tally.lookups += 1
        if who < self.plan.answered:
            self._offer(now, who, at)
            return
        told = now
        if not self._knows_live(now):
            if self.database.is_lost(now):
                self._again(now + p.HOLD.value, who)
                return
            told = self.database.done(now, 0)
        if self._is_hint_lost(now):
            phase = self._vary() if self._jitter else 0.0
            self._push(_next(told, p.RECHECK.value, phase), REACHED, who, at)
            self.tally.reads += 1
        else:
            self._push(told + p.HINT.value, REACHED, who, at)

    def _offer(self, now: float, who: int, at: int) -> None:
        given_up = now + p.HOLD.value
        if self.database.is_lost(now) and given_up < self.database.back:
            self._again(given_up, who)
        else:
            self._join(now, at, who << 2 | OFFER)

    def _again(self, now: float, who: int) -> None:
        """The sender was refused, and comes again after a pause that grows."""
        tries = self._tries[who] = self._tries.get(who, 0) + 1
        pause = min(p.FIRST_PAUSE.value * p.FACTOR.value ** (tries - 1), p.MOST_PAUSE.value)
        self._push(now + self._varied(pause), ARRIVE, who, -1)

    def _reached(self, now: float, who: int, at: int, _whom: list[int]) -> None:
        self._join(now, at, who << 2 | TAKE)

    # Something is written.

    def _join(self, now: float, at: int, item: int) -> None:
        server = self.servers[at]
        server.queue.append(item)
        if not server.writing:
            server.writing = True
            self._write(now, 0, at, NOBODY)

    def _write(self, now: float, _who: int, at: int, _whom: list[int]) -> None:
        """Write what waits, as many as a group may have."""
        if self.database.is_lost(now):
            self._push(self._reachable(), WRITE, 0, at)
            return
        queue = self.servers[at].queue
        group = [queue.popleft() for _ in range(min(len(queue), self._group))]
        self._push(self.database.done(now, len(group)), WRITTEN, 0, at, group)

    def _written(self, now: float, _who: int, at: int, group: list[int]) -> None:
        server = self.servers[at]
        for item in group:
            who, stage = item >> 2, item & 3
            if stage == TAKE:
                self.tally.end(who, now)
                if not self._was_live(who):
                    self._push(now + p.WORK.value, PARKED, who, at)
            elif stage == PARK:
                server.room += 1
            else:
                self._tries.pop(who, None)
                self._queued(now, who, at)
        if server.queue:
            self._write(now, 0, at, NOBODY)
        else:
            server.writing = False
        self._claim(now, at)

    def _parked(self, now: float, who: int, at: int, _whom: list[int]) -> None:
        self._join(now, at, who << 2 | PARK)

    # A run finds a worker.

    def _queued(self, now: float, who: int, at: int) -> None:
        """The run is runnable: its server takes it up, or tells another one that can."""
        if self.plan.servers == 1 or self._draw() >= p.ELSEWHERE.value:
            self.servers[at].backlog.append(who)
            return
        other = int(self._draw() * self.plan.servers)
        if self._is_hint_lost(now):
            seen = _next(now, p.LOOK.value, self.servers[other].phase)
        else:
            seen = now + p.HINT.value
        self._push(seen, HEARD, who, other)

    def _heard(self, now: float, who: int, at: int, _whom: list[int]) -> None:
        self.servers[at].backlog.append(who)
        self._claim(now, at)

    def _claim(self, now: float, at: int) -> None:
        """Claim as many as there is room for, in one statement that skips what others hold."""
        server = self.servers[at]
        backlog = server.backlog
        if server.claiming or not backlog or not server.room:
            return
        server.claiming = True
        if self.database.is_lost(now):
            self._push(self._reachable(), CLAIM, 0, at)
            return
        claimed = [backlog.popleft() for _ in range(min(len(backlog), server.room, self._group))]
        server.room -= len(claimed)
        self._push(self.database.done(now, len(claimed)), CLAIMED, 0, at, claimed)

    def _claim_again(self, now: float, _who: int, at: int, _whom: list[int]) -> None:
        self.servers[at].claiming = False
        self._claim(now, at)

    def _claimed(self, now: float, _who: int, at: int, claimed: list[int]) -> None:
        server = self.servers[at]
        for who in claimed:
            given = server.loop.passed(now, p.LOOP_RUN.value)
            server.turn = (server.turn + 1) % len(server.workers)
            began = server.workers[server.turn].passed(given, p.START.value)
            self._push(began, STARTED, who, at)
        server.claiming = False
        self._claim(now, at)

    def _started(self, now: float, who: int, at: int, _whom: list[int]) -> None:
        """The worker has the run; what it was woken by is read from the log, and taken."""
        self.tally.reads += 1
        self._join(now, at, who << 2 | TAKE)

    # Something goes wrong.

    def _break(self) -> None:
        plan = self.plan
        match plan.disaster:
            case Disaster.DATABASE:
                self.database.lost, self.database.back = plan.begins, plan.ends
                for nth in range(plan.lost):
                    at = nth % plan.servers
                    phase = self.servers[at].phase
                    seen = _next(self._reachable(), p.LOOK.value, phase)
                    self._push(seen, LOST, plan.answered + plan.chat + nth, at)
            case Disaster.SERVERS:
                self._push(plan.begins, KILL, 0, -1)
            case Disaster.NONE | Disaster.REDIS | Disaster.CROWD:
                pass

    def _lose(self, now: float, who: int, at: int, _whom: list[int]) -> None:
        """The lease of the run's worker has ended: the run is given back, and queued."""
        self.tally.begin(who, now)
        self._join(now, at, who << 2 | LOSE)

    def _kill(self, now: float, _who: int, _at: int, _whom: list[int]) -> None:
        """What servers held in memory is gone; senders notice, workers keep what they have."""
        kept, cut = list[Event](), list[int]()
        for event in self._heap:
            when, order, what, who, at, whom = event
            if what == APPENDED:
                cut.append(who)
            elif what == ARRIVE or when >= self.plan.ends:
                kept.append(event)
            else:
                kept.append((self._returned(now), order, what, who, at, whom))
        heapify(kept)
        self._heap[:] = kept
        for server in self.servers:
            server.loop.cleared(self.plan.ends)
            cut.extend(item >> 2 for item in server.queue if item & 3 == OFFER)
            server.queue = deque(item for item in server.queue if item & 3 != OFFER)
        for who in cut:
            self._again(now, who)
        for who in range(self.plan.followers):
            self._push(self._returned(now), CONNECT, who, -1)

    def _connect(self, now: float, _who: int, _at: int, _whom: list[int]) -> None:
        at = int(self._draw() * self.plan.servers)
        done = self.servers[at].loop.passed(now, p.LOOP_CONNECT.value)
        self.tally.connected.append(done - self.plan.ends)

    # Who knows what, and when.

    def _are_down(self, now: float) -> bool:
        plan = self.plan
        return plan.disaster is Disaster.SERVERS and plan.begins <= now < plan.ends

    def _is_hint_lost(self, now: float) -> bool:
        plan = self.plan
        if plan.disaster is Disaster.REDIS and plan.begins <= now < plan.ends:
            return True
        return self._draw() < p.HINT_LOST.value

    def _knows_live(self, now: float) -> bool:
        """Tell whether Redis says so: each entry comes back with its worker's next renewal."""
        plan = self.plan
        if plan.disaster is not Disaster.REDIS or now < plan.begins:
            return True
        return now >= plan.ends + self._draw() * p.LEASE.value / RENEWALS

    def _was_live(self, who: int) -> bool:
        return self.plan.answered <= who < self.plan.answered + self.plan.chat

    def _reachable(self) -> float:
        """Return when a server notices that the database is back."""
        return self.database.back + p.RECONNECT.value * (self._vary() if self._jitter else 0.5)

    def _returned(self, cut: float) -> float:
        """Return when somebody who was cut off finds the servers there again."""
        when, pause = cut, p.FIRST_RETURN.value
        while when < self.plan.ends:
            when += self._varied(pause)
            pause = min(2 * pause, p.MOST_RETURN.value)
        return when

    def _varied(self, pause: float) -> float:
        """Return a pause between half of it and all of it; without jitter the mean of these."""
        return pause * (0.5 + (self._vary() if self._jitter else 0.5) / 2)


def _next(now: float, every: float, phase: float) -> float:
    """Return the first moment after now at which it is looked again."""
    return ((now / every - phase) // 1.0 + 1.0 + phase) * every
