"""Where a schedule is played: every verb of a store is a move, and waits for its turn.

Owns: the moves that are pending, and what a state is:
two plays are in the same state when the store holds the same, the clock says the same, nobody
remembers anything else, and the judge has been told the same.

What a dead process remembers is no part of it: it does nothing more.

Must never know: what the processes want.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace as replaced
from enum import Enum
from itertools import count
from typing import Protocol, TypeAlias

from msgspec.structs import replace

from headrace.backends.memory.tables import Tables
from headrace.errors import Unavailable
from headrace.kernel.model import Entry, Instant, later
from tests.explorer.loop import HOME, QuietLoop
from tests.explorer.memory import fingerprint
from tests.explorer.recall import Look, Recall, Step
from tests.explorer.search import Choose, Move
from tests.history import events as e

RUN, LOG, TOKEN, CLOCK, ACKS = "run", "log", "token", "clock", "acks"
MAP, LEASE = "map", "lease"
START = Instant(1_000_000)

Fails: TypeAlias = Callable[[], bool]
"""Tells whether a move is bound to fail, now and whenever it is made: then it touches nothing."""


class Shared(Protocol):
    """Something beside the store that processes share."""

    def state(self) -> Hashable:
        """Return all of it that may still matter."""
        ...

    def given(self) -> Hashable:
        """Return what has been said, and touches nothing before somebody asks."""
        ...


class Phase(Enum):
    """Who has to wait for a turn."""

    OPENING = "actors"
    DIRECTED = "actors, and every verb of the store"
    FREE = "nobody"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A move, and what is known of it until it is made."""

    move: Move
    turn: asyncio.Future[None]
    home: str
    at_once: bool
    fails: Fails | None


@dataclass(frozen=True, slots=True, eq=False)
class _Sleeper:
    process: str
    until: Instant
    woken: asyncio.Future[None]


def _labels(process: str, verb: str) -> Iterator[str]:
    """Name a move after its verb; of several that are possible at once, each differently."""
    yield f"{process} {verb}"
    for number in count(2):
        yield f"{process} {verb} ({number})"


class Stage:
    """One play's store, clock and moves."""

    def __init__(self, choose: Choose) -> None:
        self.tables = Tables()
        self.now = START
        self.phase = Phase.OPENING
        self.was_cut = False
        self.steps = 0
        self.wrong: list[str] = []
        self.dropped: list[Entry] = []
        """Entries that a snapshot stands for: the judge goes by the whole journal."""
        self.actors: set[asyncio.Task[None] | None] = set()
        self.dead: set[str] = set()
        """Processes that do nothing more."""
        self._left_behind: list[object] = []
        self.recall: Recall | None = None
        self._step: Step | None = None
        self.constant: list[object] = []
        """What changes nothing in a play, or follows from its moves."""
        self.shared: list[Shared] = []
        """What says itself in which state it is."""
        self.senders = self.sending = self.asking = frozenset[str]()
        """Who sends, who has not done so yet, and who has not asked the map."""
        self._graves: list[asyncio.Future[None]] = []
        self.retires = False
        """Whether a sender's server may be forgotten when it has done its work."""
        self._retired = frozenset[str]()
        self._is_over = False
        self.events: list[e.Event] = []
        self.past: frozenset[int] = frozenset()
        self._choose = choose
        self._waiting: dict[str, Waiting] = {}
        self._asleep: list[_Sleeper] = []
        self._director: asyncio.Task[object] | None = None
        self._quiet: asyncio.Future[None] | None = None

    # --- for the processes -----------------------------------------------------------------------

    async def turn(
        self,
        process: str,
        verb: str,
        *,
        reads: frozenset[str] = frozenset(),
        writes: frozenset[str] = frozenset(),
        fails: Fails | None = None,
    ) -> None:
        """Return when it is the turn of this verb of the store.

        What an actor's own task reads decides nothing: all that does is decided at a desk.
        """
        self._must_not_have_retired(process)
        is_on = self.phase is Phase.DIRECTED or process in self.dead
        if is_on and asyncio.current_task() not in self.actors:
            await self.cue(process, verb, reads=reads, writes=writes, fails=fails)

    async def cue(
        self,
        process: str,
        verb: str,
        *,
        reads: frozenset[str] = frozenset(),
        writes: frozenset[str] = frozenset(),
        enters: frozenset[str] = frozenset(),
        at_once: bool = False,
        fails: Fails | None = None,
    ) -> None:
        """Return when it is the turn of this act of an actor.

        While acts wait that happen `at_once`, no others do: what is chosen among them is one step.
        """
        self._must_not_have_retired(process)
        if process in self.dead:
            await self._for_ever()
        if self.phase is Phase.FREE:
            return
        label = next(label for label in _labels(process, verb) if label not in self._waiting)
        move = Move(label, process, reads | {CLOCK}, writes, enters)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = Waiting(move, turn, HOME.get(), at_once, fails)
        self._waiting[label] = waiting
        try:
            await waiting.turn
        finally:
            self._waiting.pop(label, None)

    def _must_not_have_retired(self, process: str) -> None:
        if process in self._retired:
            self.wrong.append(f"{process} was thought to do nothing more")

    def kill(self, process: str, *left: object) -> None:
        """Let the process do nothing more: what it was about to do does not happen.

        `left` is what others know of it, and what does nothing more either.
        """
        self.dead.add(process)
        self._left_behind += left
        for label, waiting in list(self._waiting.items()):
            if waiting.move.process == process:
                self._graves.append(waiting.turn)
                del self._waiting[label]

    def bury(self) -> None:
        """Let what hangs in dead processes end: the play is over."""
        self._is_over = True
        for grave in self._graves:
            if not grave.done():
                grave.set_exception(Unavailable("the process is dead"))

    async def _for_ever(self) -> None:
        if self._is_over:
            raise Unavailable("the process is dead")
        grave: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._graves.append(grave)
        await grave

    def note(self, event: e.Event) -> None:
        """Write an event down for the judge."""
        self.events.append(replace(event, at=2 * self.steps + 1))
        self.past |= {hash((repr(event), self._acknowledged(event)))}

    def _acknowledged(self, event: e.Event) -> Hashable:
        """Return what the judge knows of the order of events: what was acknowledged before."""
        if not isinstance(event, e.SendInvoke):
            return None
        return frozenset(seen.id for seen in self.events if isinstance(seen, e.SendOk))

    def advance(self, ms: int, *, awake: Callable[[str], bool]) -> None:
        """Let time pass, and wake who slept long enough in the processes that are awake."""
        self.now = later(self.now, ms)
        slept = [one for one in self._asleep if one.until <= self.now and awake(one.process)]
        for sleeper in slept:
            self._asleep.remove(sleeper)
            if not sleeper.woken.done():
                sleeper.woken.set_result(None)

    async def sleep(self, process: str, until: Instant) -> None:
        """Return when the clock has come to `until`."""
        if until > self.now:
            sleeper = _Sleeper(process, until, asyncio.get_running_loop().create_future())
            self._asleep.append(sleeper)
            await sleeper.woken

    # --- for the director ------------------------------------------------------------------------

    async def direct(self) -> None:
        """Make moves until none is left, or until the search has seen enough."""
        self.phase = Phase.DIRECTED
        self._director = asyncio.current_task()
        await self.rest()

    async def rest(self) -> None:
        """Return when nothing goes on by itself any more."""
        self._quiet = asyncio.get_running_loop().create_future()
        await self._quiet

    def at_rest(self) -> bool:
        """Nothing goes on by itself: make a move."""
        if self._quiet is None or self._quiet.done():
            return False
        self._retire()
        moves = self._possible() if self.phase is Phase.DIRECTED else []
        move = self._choose(moves, self._state) if moves else None
        if move is None:
            self.was_cut = bool(moves)
            self._quiet.set_result(None)
        else:
            self._make(move)
        return True

    def _possible(self) -> list[Move]:
        waiting = [*self._waiting.values()]
        chosen = [one for one in waiting if one.at_once] or waiting
        return [self._as_it_is(one) for one in chosen]

    def _as_it_is(self, waiting: Waiting) -> Move:
        """Say of a move what only shows when it might be made."""
        move = waiting.move
        if waiting.fails is not None and waiting.fails():
            move = replaced(move, reads=frozenset({CLOCK}), writes=frozenset())
        local, given = self._is_local(move), self.given(move)
        if local or given is not None:
            move = replaced(move, local=local, given=given)
        return move

    def _is_local(self, move: Move) -> bool:
        """Tell whether others who may touch the same are waiting for their turn already.

        Time is passed, and messages are sent, by actors, who are there from the beginning.
        """
        reads, writes = move.reads - {CLOCK}, set(move.writes)
        if not self.sending - {move.process}:
            reads -= {LOG}  # nobody else appends
        if not self.asking:
            reads, writes = reads - {MAP}, writes - {MAP}
        return not reads and all(one.startswith(ACKS) for one in writes)

    def given(self, move: Move) -> Hashable:
        """Return what the move goes by though nobody touches it."""
        return tuple(one.given() for one in self.shared) if MAP in move.reads else None

    def _make(self, move: Move) -> None:
        self.steps += 1
        waiting = self._waiting.pop(move.label)
        passes = CLOCK in move.writes
        touched = {waiting.home, move.process, "", *move.enters}
        self._step = Step(move.label, () if passes else touched, passes or bool(move.enters))
        waiting.turn.set_result(None)

    def free(self) -> None:
        """Let everything that waits, and whatever comes, go on at once."""
        self.phase = Phase.FREE
        for waiting in self._waiting.values():
            if not waiting.turn.done():
                waiting.turn.set_result(None)
        self._waiting.clear()

    # --- states ----------------------------------------------------------------------------------

    def _state(self) -> Hashable:
        tables = hash(repr((self.tables.runs, self.tables.journals, self.tables.records)))
        kept = hash(repr((self.tables.snapshots, self.dropped, self.tables.waitpoints)))
        shared = (self.sending, self.asking, *(one.state() for one in self.shared))
        common = self.now, tables, kept, shared, frozenset(self.dead)
        waiting = tuple(sorted(self._waiting))
        return common, self._memory(common), self.past, waiting

    def _memory(self, common: Hashable) -> Hashable:
        living, dead = self._tasks()
        for home in self._retired:
            living.pop(home, None)
        apart = (self, self.tables, *self.shared, *self.constant, *self._left_behind, *dead)
        if self.recall is None:
            return fingerprint((task for tasks in living.values() for task in tasks), apart)
        look: Look = lambda home: fingerprint(living[home], apart)  # noqa: E731
        return self.recall.memories(self.steps, self._step, living, common, look)

    def _retire(self) -> None:
        """Let the servers of senders that have sent be forgotten, where nothing goes on any more.

        What they remember is of no consequence if none of them asks the store again.
        """
        if self.retires:
            busy = {one.move.process for one in self._waiting.values()}
            self._retired |= self.senders - self.sending - busy

    def _tasks(self) -> tuple[dict[str, list[asyncio.Task[object]]], list[asyncio.Task[object]]]:
        """Return those that go on, by process, and those of dead processes."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, QuietLoop)
        tasks = asyncio.all_tasks() - {self._director}
        living, dead = dict[str, list[asyncio.Task[object]]](), list[asyncio.Task[object]]()
        for task in tasks:
            home = loop.homes[task]
            (dead if home in self.dead else living.setdefault(home, [])).append(task)
        return living, dead
