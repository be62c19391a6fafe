"""The engine's heart: the desks of all runs, their tasks, and what moves between them.

Owns: which desk stands for which run, and the life of background work.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from itertools import islice

import structlog

from headrace.engine.bells import ANY, Bells
from headrace.engine.callbacks import Callbacks
from headrace.engine.desk import Desk, Job
from headrace.engine.heralding import Herald
from headrace.engine.hints import Here, Hint, Left, Seated, heard, said
from headrace.engine.keyring import Keyring
from headrace.engine.landing import Lander
from headrace.engine.seats import Seats
from headrace.engine.specs import Specs
from headrace.engine.subscribers import Subscribers
from headrace.engine.telling import Teller
from headrace.engine.watching import Watch
from headrace.errors import HeadraceError, Unavailable
from headrace.kernel import machine
from headrace.kernel.model import EnvId, Instant, Over, Queued, Run, RunId
from headrace.ports import Chance, Delivering, Stores

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
        self.seats, self.bells, self.specs = Seats(), Bells(), Specs(stores.catalog)
        self.watch = Watch(stores.revisions, stores.streams, self.bells)
        self.subscribers = Subscribers()
        self.teller = Teller(stores, self.seats)
        self.herald = Herald(self.seats, stores.wakeups, self.name)
        self.has_company = False
        """Whether another engine was ever heard of."""
        self._lander = Lander(self.seats, self.teller, self._changed)
        self.wanted = asyncio.Event()
        """Set when a queued run may find a worker."""
        self.alarm = asyncio.Event()
        """Set when something is due earlier than was thought."""
        self.next_due = Instant(0)
        self.tried: dict[EnvId, str] = {}
        """The newest code that blocked runs have been tried with."""
        # Asked once: a look at a Protocol's verbs costs more than a decision.
        self._delivering = stores.streams if isinstance(stores.streams, Delivering) else None
        self._group = group
        self._is_closed = False
        self._desks: OrderedDict[RunId, Desk] = OrderedDict()

    def now(self) -> Instant:
        """Return the store's time."""
        return self.stores.clock.now()

    def desk(self, run_id: RunId) -> Desk:
        """Return the run's desk."""
        desk = self._desks.get(run_id)
        if desk is None:
            desk = self._desks[run_id] = Desk(run_id, self.stores, self._lander, self._delivering)
            self._tidy()
        else:
            self._desks.move_to_end(run_id)
        return desk

    def desks(self) -> tuple[Desk, ...]:
        """List the desks in memory."""
        return tuple(self._desks.values())

    def known(self, run_id: RunId) -> Run | None:
        """Return the run as this process knows it, if it does."""
        desk = self._desks.get(run_id)
        return None if desk is None else desk.run

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
        self.attend(desk)
        return answer

    def close(self) -> None:
        """Take no more jobs: nobody would do them."""
        self._is_closed = True

    def attend(self, desk: Desk) -> None:
        """See to it that somebody works at the desk."""
        if not desk.working:
            desk.working = True
            self.start(desk.work())

    def start(self, work: Coroutine[object, object, None]) -> None:
        """Run something beside the caller, for as long as the engine lives at the most."""
        self._group.create_task(_guarded(work))

    def look_again(self) -> None:
        """Trust no memory: another process has written, or a hint may have been lost."""
        self.specs.forget()
        self.seats.all_behind()
        self.wanted.set()
        for desk in self.desks():
            if (desk.run is not None and desk.run.waits) or self.seats.told(desk.run_id):
                self.look_at(desk)
            else:
                desk.doubt()

    def look_at(self, desk: Desk) -> None:
        """Have the run read again now."""
        desk.look_again()
        self.attend(desk)

    async def listen(self) -> None:
        """Pass on what other engines announce."""
        async with self.stores.wakeups.listen(self.name) as hints:
            self.look_again()  # nobody knows what was announced while nobody listened
            await self._greet()
            async for run_id in hints:
                if run_id == ANY:
                    self.look_again()
                    self._ring(run_id)
                    await self._greet()  # what was told at first may have been lost
                elif hint := heard(run_id):
                    await self._follow(hint)
                else:
                    self._heard(run_id)
                    self._ring(run_id)

    async def _greet(self) -> None:
        if not self.has_company:
            await self.tell(said(Here(is_new=True)))

    async def _follow(self, hint: Hint) -> None:
        """Follow up on what another engine tells beside what it has written."""
        self.has_company = True
        match hint:
            case Left(env, task):
                self.seats.fall_behind(env, task)
                if self.seats.has_room(env, task):
                    self.wanted.set()
            case Seated(worker, number):
                seat = self.seats.of(worker)
                if seat is not None and seat.number < number:
                    self.seats.remove(seat)
            case Here(is_new):
                if is_new:
                    await self.tell(said(Here(is_new=False)))

    def _heard(self, run_id: RunId) -> None:
        """Follow up on what another engine has written of the run.

        Whose worker sits here is told at once. Others find out when they want to write.
        """
        self.has_company = True
        desk = self._desks.get(run_id)
        if self.seats.told(run_id) is not None:
            self.look_at(self.desk(run_id))
        elif desk is not None:
            desk.doubt()

    def _ring(self, run_id: RunId) -> None:
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

    async def _changed(self, run: Run, *, is_news: bool) -> None:
        """Follow up on a commit, or on the sight of what another engine has committed.

        Who has only looked announces nothing: engines would send each other to look for ever.
        """
        if isinstance(run.state, Over):
            self._desks.pop(run.id, None)
        self._schedule(run)
        if is_news:
            await self.announce(run.id)
        else:
            self._ring(run.id)

    async def announce(self, run_id: RunId) -> None:
        """Tell who listens here, and hint to other engines."""
        if run_id == ANY:
            self.look_again()
        self._ring(run_id)
        await self.tell(run_id)

    async def tell(self, hint: RunId) -> None:
        """Hint to other engines; what is durable does not fail because they cannot be told."""
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
