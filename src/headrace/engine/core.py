"""The engine's heart: the desks of all runs, their tasks, and what moves between them.

Owns: which desk stands for which run, and the life of background work.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Mapping
from itertools import islice

import structlog

from headrace.engine.abilities import abilities
from headrace.engine.bells import Bells
from headrace.engine.callbacks import Callbacks
from headrace.engine.desk import Desk
from headrace.engine.heralding import Herald
from headrace.engine.hints import Grown, Written, said
from headrace.engine.jobs import Job
from headrace.engine.keyring import Keyring
from headrace.engine.landing import Lander, News
from headrace.engine.onlookers import Onlookers
from headrace.engine.presence import Presence
from headrace.engine.readers import Readers
from headrace.engine.repeats import Repeats
from headrace.engine.rounds import Pace
from headrace.engine.seats import Seats
from headrace.engine.specs import Specs
from headrace.engine.telling import Teller
from headrace.engine.watching import Watch
from headrace.errors import HeadraceError, Unavailable
from headrace.kernel import machine
from headrace.kernel.model import EnvId, Instant, Over, Queued, Run, RunId, StreamId
from headrace.ports import Chance, Stores

_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.engine")
DESKS_KEPT = 4_096
"""Idle desks kept in memory; one that holds what is nowhere else is never given up."""
TIDIED_AT_ONCE = 8
"""How many are looked at whenever one is added: enough for their number to fall again."""


class Core:
    """Shared by the use cases; one per process and store."""

    def __init__(
        self, stores: Stores, chance: Chance, group: asyncio.TaskGroup, keyring: Keyring
    ) -> None:
        self.stores, self.chance, self.keyring = stores, chance, keyring
        self.name = chance.unique(8).hex()
        """Under which this engine announces: it needs no telling of what it did itself."""
        self.callbacks = Callbacks(keyring.vault)
        self.seats, self.bells, self.specs = Seats(), Bells(), Specs(stores)
        self.watch = Watch(stores.revisions, self.bells)
        self.readers = Readers(stores.revisions, stores.streams, self.bells)
        self.teller = Teller(stores, self.seats)
        self.herald = Herald(self.seats, stores.wakeups, self.name)
        self.onlookers = Onlookers(self.tell)
        self.has_company = False
        """Whether another engine was ever heard of."""
        self.abilities = abilities(stores.streams)
        self.is_elsewhere = self.abilities.delivering is None
        """Whether records lie elsewhere than runs: then no commit is about both."""
        self.repeats = Repeats(stores.clock)
        self.presence = self._present(stores)
        self._lander = Lander(
            self.seats,
            self.teller,
            self._changed,
            self.presence,
            is_elsewhere=self.is_elsewhere,
        )
        self.wanted = asyncio.Event()
        """Set when a queued run may find a worker."""
        self.pace = Pace()
        """Of the round through the runs of workers that sit here."""
        self.alarm = asyncio.Event()
        """Set when something is due earlier than was thought."""
        self.next_due = Instant(0)
        self.tried: dict[EnvId, str] = {}
        """The newest code that blocked runs have been tried with."""
        self._group = group
        self._is_closed = False
        self._desks: OrderedDict[RunId, Desk] = OrderedDict()

    def _present(self, stores: Stores) -> Presence | None:
        if stores.waitmap is None or not self.is_elsewhere:
            return None
        return Presence(stores.waitmap, stores.clock, self.seats, self._certain)

    def _certain(self, run_id: RunId) -> Run | None:
        desk = self._desks.get(run_id)
        return None if desk is None else desk.certain

    def now(self) -> Instant:
        """Return the store's time."""
        return self.stores.clock.now()

    def desk(self, run_id: RunId) -> Desk:
        """Return the run's desk."""
        desk = self._desks.get(run_id)
        if desk is None:
            desk = self._desks[run_id] = Desk(run_id, self.stores, self._lander, self.abilities)
            self._tidy()
        else:
            self._desks.move_to_end(run_id)
        return desk

    def desks(self) -> Mapping[RunId, Desk]:
        """Show the desks in memory."""
        return self._desks

    def _tidy(self) -> None:
        surplus = min(max(0, len(self._desks) - DESKS_KEPT), TIDIED_AT_ONCE)
        for run_id in list(islice(self._desks, surplus)):
            if not self._desks[run_id].is_idle:
                self._desks.move_to_end(run_id)
            else:
                del self._desks[run_id]

    def post(self, run_id: RunId, job: Job) -> asyncio.Future[object]:
        """Put a job on the run's desk."""
        if self._is_closed:
            raise Unavailable("the server has stopped", hint="Try again.")
        desk = self.desk(run_id)
        answer = desk.post(job)
        self._attend(desk)
        return answer

    def close(self) -> None:
        """Take no more jobs: nobody would do them."""
        self._is_closed = True

    def _attend(self, desk: Desk) -> None:
        """See to it that somebody works at the desk."""
        if not desk.working:
            desk.working = True
            self.start(desk.work())

    def start(self, work: Coroutine[object, object, None]) -> None:
        """Run something beside the caller, for as long as the engine lives at the most."""
        self._group.create_task(_guarded(work))

    def look_again(self) -> None:
        """Trust no memory: another process has written, or hints may have been lost.

        Where nobody is heard this is said again and again: so those who have to know are not looked
        at one by one, but have their rounds begin at once, which ask about all of them together.
        """
        self.specs.forget()
        self.seats.all_behind()
        self.wanted.set()
        for desk in self._desks.values():
            desk.doubt()
        for pace in (self.pace, self.watch.pace, self.readers.pace):
            pace.hurry()

    def look_at(self, desk: Desk, *, only: frozenset[StreamId] | None = None) -> None:
        """Have the run read again now; or `only` what these streams hold; of none, what all do."""
        if only is None:
            desk.look_again()
        else:
            desk.look_behind(only)
        self._attend(desk)

    def ring(self, run_id: RunId) -> None:
        """Have everybody look who wants to know of the run."""
        self.bells.ring(run_id)
        self.watch.hear(run_id)

    def created(self, run: Run) -> None:
        """Note a run that has just been created."""
        self._schedule(run)
        self.watch.hear(run.id)

    def _schedule(self, run: Run) -> None:
        """Have a queued run looked for, and the timer wake up for what is due earlier."""
        if isinstance(run.state, Queued):
            self.seats.fall_behind(run.env, run.task)
            self.herald.leave(run.env, run.task)
        self.wanted.set()
        due = machine.due(run)
        if due is not None and due < self.next_due:
            self.next_due = due
            self.alarm.set()

    async def _changed(self, run: Run, news: News, grown: frozenset[StreamId]) -> None:
        """Follow up on a commit, or on the sight of what another engine has committed.

        Who has only looked announces nothing: engines would send each other to look for ever.
        `grown` are the streams that have new records.
        """
        if isinstance(run.state, Over):
            self._desks.pop(run.id, None)
        self._schedule(run)
        self.ring(run.id)
        match news:
            case News.RUN:
                is_seen = self.is_elsewhere and not self._lander.attends(run.id)
                hint = said(Written(run.id, grown)) if is_seen else run.id
                await self._spread(run.id, hint)
            case News.RECORDS:  # where one look shows both, it is as well to look at both
                hint = said(Grown(run.id, grown)) if self.is_elsewhere else run.id
                await self._spread(run.id, hint)
            case News.NONE:
                pass

    async def _spread(self, run_id: RunId, hint: RunId) -> None:
        if self._lander.attends(run_id):
            self.onlookers.gather(hint)
        else:
            await self.tell(hint)

    async def announce(self, run_id: RunId) -> None:
        """Tell who listens here, and hint to other engines."""
        self.ring(run_id)
        await self.tell(run_id)

    async def tell(self, hint: RunId) -> None:
        """Hint to other engines; what is durable does not fail because they cannot be told."""
        self.onlookers.told(hint)
        try:
            await self.stores.wakeups.announce(hint, self.name)
        except HeadraceError as error:
            _log.warning("a hint could not be given", error=str(error))


async def _guarded(work: Coroutine[object, object, None]) -> None:
    """Do the work; a bug in it must not end everybody else's."""
    try:
        await work
    except Exception:  # noqa: BLE001 - whatever it is, it is nobody else's
        _log.exception("something beside a caller failed; this is a bug")
