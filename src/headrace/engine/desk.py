"""One run's desk: everything that is asked of the run, one after another, many to a commit.

Owns: order, batching, and what happens when a commit fails. Must never know: what is asked.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from headrace.engine.abilities import Abilities
from headrace.engine.ids import unknown_run
from headrace.engine.jobs import Hasty, Job, LookBehind, look
from headrace.engine.remembering import in_order, may_live, without
from headrace.engine.sheet import Sheet, Tails
from headrace.engine.slips import Slip, heard, missed
from headrace.errors import Mistake, NotFound, Throttled, Unavailable
from headrace.kernel.effects import durable
from headrace.kernel.evolve import evolve
from headrace.kernel.model import Key, Run, RunId, Running, StreamId, Waiting
from headrace.ports import Clash, Conflict, Extending, Stores

TRIES = 20
"""How often a batch is decided again because another process was faster."""


class Landing(Protocol):
    """What the engine does around a commit."""

    @property
    def hastens(self) -> bool:
        """Tell whether `is_live` can say anything."""
        ...

    async def is_live(self, run_id: RunId) -> bool:
        """Tell whether somebody executes the run, who hears of new records by himself."""
        ...

    def attends(self, run_id: RunId) -> bool:
        """Tell whether the worker that has been told of the run sits here."""
        ...

    def prepare(self, sheet: Sheet) -> None:
        """Add what follows at once, in the same commit."""
        ...

    async def part(self, sheet: Sheet) -> None:
        """Say what has to be known before this is committed."""
        ...

    def abandon(self, sheet: Sheet) -> None:
        """Take back what `prepare` has promised: this sheet will not land, as far as is known."""
        ...

    async def landed(self, desk: Desk, sheet: Sheet) -> None:
        """Tell whoever must know; the next batch starts when this returns."""
        ...


class Desk:
    """Single owner of one run in this process; other processes are held off by the version."""

    __slots__ = (
        "_clock",
        "_delivering",
        "_extending",
        "_is_doubtful",
        "_landing",
        "_runs",
        "_sighting",
        "_slips",
        "_stores",
        "_streams",
        "_tails",
        "owes_look",
        "run",
        "run_id",
        "working",
    )

    def __init__(
        self, run_id: RunId, stores: Stores, landing: Landing, abilities: Abilities
    ) -> None:
        self.run_id = run_id
        self.run: Run | None = None
        self.working = False
        self.owes_look = False
        """Whether something was not seen to since the store failed: a look makes it good."""
        self._stores, self._runs, self._streams = stores, stores.runs, stores.streams
        self._clock = stores.clock
        self._landing = landing
        self._delivering, self._sighting = abilities.delivering, abilities.sighting
        self._extending = abilities.extending
        self._slips: deque[Slip] = deque()
        self._tails = Tails(abilities.extending)
        self._is_doubtful = False

    @property
    def is_idle(self) -> bool:
        """Tell whether the desk can be given up without losing anything."""
        if self.working or self._slips or self.owes_look:
            return False
        run = self.run
        if run is None or durable(run) is run:
            return True
        return not self._landing.attends(self.run_id)  # a worker posts what stands once more

    def post(self, job: Job) -> asyncio.Future[object]:
        """Queue a job; its future is done once its outcome is durable."""
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(heard)
        self._slips.append(Slip(job, answer))
        return answer

    def renew(self, run: Run) -> None:
        """Take over what another path has just committed, unless something newer is known."""
        if self.run is None or self.run.version < run.version:
            self.run = run

    @property
    def certain(self) -> Run | None:
        """Return the run as its last commit has left it, if that is known."""
        return None if self._is_doubtful else self.run

    def doubt(self) -> None:
        """Trust nothing that was read so far."""
        self._is_doubtful = True

    def look_again(self) -> None:
        """Read the run again, and tell everybody who should know; once, however often asked."""
        self.doubt()
        self.look_behind(frozenset())

    def look_behind(self, streams: frozenset[StreamId]) -> None:
        """Look for new records in these streams of the run, or in all; the rest is as it was."""
        self._lose_sight()
        for slip in self._slips:
            if slip.job is look:
                return
            if isinstance(slip.job, LookBehind):
                slip.job = LookBehind(slip.job.streams | streams) if streams else look
                return
        self.post(LookBehind(streams) if streams else look)

    def _lose_sight(self) -> None:
        """Know no more where the streams end; but where a clash tells it, that is soon enough."""
        if self._extending is None:
            self._tails.see(None)

    async def _reload(self) -> None:
        """Read the run again, and keep the waits that live in memory only."""
        self._is_doubtful = False
        known = self.run
        try:
            fresh = await self._seen(known)
            if known is not None and fresh is not None:
                fresh = await self._kept(known, fresh)
        except BaseException:
            self._is_doubtful = True
            raise
        self._know(known, fresh)

    def _know(self, known: Run | None, fresh: Run | None) -> None:
        """Know what was read, unless another path has committed while it was."""
        newer = None if self.run is known else self.run
        if newer is None or (fresh is not None and fresh.version >= newer.version):
            self.run = fresh
        else:
            self._tails.see(None)

    async def _seen(self, known: Run | None) -> Run | None:
        """Read the run; where one look shows more, what a look or a send needs as well."""
        self._lose_sight()
        if self._sighting is None:
            return await self._runs.load(self.run_id)
        sight = await self._sighting.sight(self.run_id, None if known is None else known.entries)
        self._tails.see(sight)
        return None if sight is None else sight.run

    async def _kept(self, known: Run, fresh: Run) -> Run:
        """Give `fresh` the waits in memory, if its holder is the same and they have no answer."""
        held_on = isinstance(fresh.state, Running | Waiting) and known.epoch == fresh.epoch
        # What answered them may have been let go of since: then nobody can tell any more.
        held_on = held_on and fresh.base <= known.entries
        standing = {wait.key for wait in fresh.waits}
        kept = [w for w in known.waits if held_on and not w.held and w.key not in standing]
        if kept and fresh.entries > known.entries:
            # A commit of ours may have landed though its reply was lost.
            sight, start = self._tails.sight, known.entries
            seen = None if sight is None else sight.since(start)
            entries = await self._runs.journal(self.run_id, start) if seen is None else seen
            answered = {entry.key for entry in entries}
            kept = [wait for wait in kept if wait.key not in answered]
        return evolve(fresh, waits=in_order(known, (*fresh.waits, *kept))) if kept else fresh

    async def work(self) -> None:
        """Handle all that is queued, and what is queued meanwhile."""
        batch: list[Slip] = []
        try:
            while self._slips:
                batch = list(self._slips)
                self._slips.clear()
                await self._handle(batch)
        except asyncio.CancelledError:
            gone = Unavailable("the server is stopping", hint="Try again.")
            for slip in (*batch, *self._slips):
                slip.settle(gone)
            self._slips.clear()
            raise
        finally:
            self.working = False

    async def _handle(self, batch: list[Slip]) -> None:
        try:
            sheet = await self._decided(batch)
            self._take_over(sheet)
            await self._landing.landed(self, sheet)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to who asked
            self._failed(batch, error)
        else:
            if missed(batch):
                self.owes_look = True
            elif any(slip.job is look for slip in batch):
                self.owes_look = False
            for slip in batch:
                slip.settle()

    def _take_over(self, sheet: Sheet) -> None:
        """Know the run as it is now, unless another path has brought something newer meanwhile."""
        landed = sheet.landed()
        if self.run is sheet.before or self.run is None or self.run.version < landed.version:
            self.run = landed
        self._tails.known, self._tails.sight = sheet.tails, None

    def _failed(self, batch: list[Slip], error: Exception) -> None:
        """Tell everybody: it may or may not have happened. Look once whether it has."""
        self.doubt()
        if self.run is not None and any(slip.job is not look for slip in batch):
            self.look_again()
        elif isinstance(error, NotFound):
            self.owes_look = False  # it has been forgotten: nobody waits for anything
        elif missed(batch, error):
            self.owes_look = True
        for slip in batch:
            slip.settle(error)

    async def _decided(self, batch: list[Slip]) -> Sheet:
        """Decide the batch and commit it, again if another process was faster."""
        answered, written, is_hasty = frozenset[Key](), set[tuple[StreamId, int]](), True
        if (hasty := await self._hastened(batch, written)) is not None:
            return hasty
        for attempt in range(TRIES):
            sheet = await self._sheet(answered)
            sheet.written, sheet.is_hasty = written, is_hasty and not written
            for slip in batch:
                await slip.decide(sheet)
            try:
                await self._landed(sheet)
            except (Conflict, Clash) as error:
                self.doubt()
                if isinstance(error, Clash) and is_hasty and sheet.drafts:
                    is_hasty = False  # most likely a record: a journal may be long
                elif isinstance(error, Clash):
                    answered = frozenset(e.key for e in await self._runs.journal(self.run_id))
                await asyncio.sleep(0.001 * attempt)
            else:
                return sheet
        message = f"run {self.run_id} is being written to by too many processes at once"
        raise Unavailable(message, hint="Try again.")

    async def _sheet(self, answered: frozenset[Key]) -> Sheet:
        if self.run is None or self._is_doubtful:
            await self._reload()
        if self.run is None:
            raise unknown_run(self.run_id)
        sheet = Sheet(self.run, self._stores, self._tails, self._clock.now(), answered)
        if answered:  # a wait under such a key could only fail every change that answers it again
            sheet.run = without(self.run, answered)
        return sheet

    async def _landed(self, sheet: Sheet) -> None:
        """Commit what was decided, with what belongs to it."""
        self._landing.prepare(sheet)
        try:
            if self._landing.hastens:
                await self._landing.part(sheet)
            await self._commit(sheet)
        except BaseException:
            self._landing.abandon(sheet)
            raise

    async def _hastened(
        self, batch: list[Slip], written: set[tuple[StreamId, int]]
    ) -> Sheet | None:
        """Decide by what is remembered of a run that lives; `None`: the database has to be asked.

        Records that were appended all the same are noted in `written`. A take is guarded by the
        run's version; that there is none to take, only somebody who knows where the run is can say.
        """
        run = self.run
        if not self._landing.hastens or run is None or not may_live(run):
            return None
        if not all(slip.job is look or isinstance(slip.job, Hasty) for slip in batch):
            return None
        for is_sure in (False, *[True] * TRIES):
            sheet = Sheet(run, self._stores, self._tails, self._clock.now())
            sheet.written, sheet.is_hasty = written, not is_sure
            for slip in batch:
                await slip.decide(sheet)
            if any(isinstance(slip.error, Mistake) for slip in batch) or sheet.trouble is not None:
                return None
            try:
                return sheet if await self._lands_in_haste(sheet) else None
            except Clash:  # another server sends as well, or the same once more
                self._lose_sight()
            except Conflict:
                self.doubt()
                return None
        return None

    async def _lands_in_haste(self, sheet: Sheet) -> bool:
        if sheet.entries:
            self._is_doubtful = False  # if the commit lands, this is how the run was
            await self._landed(sheet)
            return True
        if sheet.looked:
            return False
        await self._append(sheet)
        self._tails.known = sheet.tails
        return await self._landing.is_live(self.run_id)  # only now: not from before the append

    async def _commit(self, sheet: Sheet) -> None:
        if sheet.trouble is not None:
            raise sheet.trouble
        if not (sheet.is_news or sheet.checks):
            return
        if sheet.pushes:
            await self._postpone(sheet)
        elif not sheet.drafts:
            await self._runs.commit(sheet.change())
        elif self._delivering is not None:
            await self._delivering.deliver(sheet.drafts, sheet.change())
        else:
            await self._append_first(sheet)

    async def _append_first(self, sheet: Sheet) -> None:
        """Append, then commit what the records lead to; a crash between is healed by a retry."""
        await self._append(sheet)
        await self._runs.commit(sheet.change())

    async def _postpone(self, sheet: Sheet) -> None:
        await self._append(sheet)
        triggers = [push.trigger for push in sheet.pushes]
        done = await self._stores.postponing.postpone(sheet.change(), triggers)
        for push, is_done in zip(sheet.pushes, done, strict=True):
            push.is_spent = not is_done

    async def _append(self, sheet: Sheet) -> None:
        try:
            await self._appended(sheet)
        except Throttled as error:
            if not sheet.written:
                raise
            raise Unavailable(error.message, hint="Try again.") from error  # some of it stands

    async def _appended(self, sheet: Sheet) -> None:
        if self._extending is not None:
            return await self._extend(self._extending, sheet)
        for draft in sheet.drafts:
            if (await self._streams.append(draft)).duplicate:
                raise Clash  # another process was faster, perhaps with another body
            sheet.written.add((draft.stream, draft.seq))
        return None

    async def _extend(self, streams: Extending, sheet: Sheet) -> None:
        for stream in dict.fromkeys(draft.stream for draft in sheet.drafts):
            rest = [draft for draft in sheet.drafts if draft.stream == stream]
            while rest:
                count = await streams.extend(rest)
                sheet.written.update((draft.stream, draft.seq) for draft in rest[:count])
                rest = rest[count:]
