"""Who takes part in a play: a worker that asks, senders, somebody who cancels, and time.

Owns: what each does when it is its turn, and what it writes down for the judge.
Must never know: the order of turns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from headrace.errors import HeadraceError, Mistake
from headrace.kernel.model import Entry, Key, WaitpointId
from headrace.ports import Api, Channel
from headrace.wire import channel as c
from headrace.wire.views import Receipt
from tests.explorer.loop import settle
from tests.explorer.stage import ACKS, CLOCK, Stage
from tests.history import events as e

STREAM: Final = "s"
TASK: Final = "play"
TIMEOUT_MS: Final = 400


@dataclass(frozen=True, slots=True)
class Plan:
    """What the task does: it asks until it has `values`, once at least.

    Its first question may time out.
    """

    values: int
    held: bool
    timeout: bool
    evicted: bool = False
    saves: bool = False
    drops: bool = False
    unfit: bool = False
    token: str = ""


@dataclass(slots=True)
class _Life:
    """One execution of the run."""

    run: str
    epoch: int
    name: str
    start: int
    """The number of the first entry that it was given."""
    journal: dict[str, Entry]
    told: int = 0
    values: int = 0
    stopping: bool = False
    asking: str = ""

    @property
    def next_n(self) -> int:
        """Return the number of the entry that it expects next."""
        return self.start + len(self.journal)

    def copy(self) -> _Life:
        """Return what goes on elsewhere."""
        return replace(self, journal=dict(self.journal))

    def saved(self) -> bytes:
        """Return all that the code knows."""
        return b"%d %d" % (self.told, self.values)

    def restore(self, snapshot: bytes) -> None:
        """Let the code know what it knew."""
        self.told, self.values = map(int, snapshot.split())


@dataclass(slots=True)
class Worker:
    """Executes the plan, as a task would: question by question."""

    stage: Stage
    process: str
    api: Api
    plan: Plan
    over: bool = False
    name: str = ""
    """If it is not that of the process."""
    _is_ghost: bool = False
    _is_mute: bool = False
    _life: _Life | None = None
    _lives: int = 0
    _last: int = -1
    _evictions: int = 0
    _channel: Channel = field(init=False)

    async def run(self) -> None:
        """Take whatever is assigned until the run is over; after a break, go on where it was."""
        settle(self.process)
        hello = c.Hello(
            worker=self.name or self.process,
            version="1",
            tasks=(TASK,),
            slots=2,
            holdings=self._holdings(),
        )
        async with self.api.attach(hello) as self._channel:
            if self._life is not None:
                await self._ask(self._life)
            async for batch in self._channel.pushes:
                for push in batch:
                    await self._hear(push)
                if self.over:
                    return

    def _holdings(self) -> tuple[c.Holding, ...]:
        life = self._life
        return () if life is None else (c.Holding(life.run, life.epoch, life.next_n),)

    def renew(self) -> None:
        """Carry the lease on."""
        self._channel.post([c.Renewed(slots=2)])

    def leave(self, process: str, api: Api, *, mute: bool = False) -> Worker:
        """Go on elsewhere; here only happens what was under way, if anything (`mute`) was."""
        heir = Worker(self.stage, process, api, self.plan, name=self.name or self.process)
        heir._life = None if self._life is None else self._life.copy()
        heir._lives, heir._last = self._lives, self._last
        self._is_ghost, self._is_mute = True, mute
        return heir

    async def _hear(self, push: c.Push) -> None:
        match push:
            case _ if self._is_ghost:
                pass
            case c.Assigned():
                await self._begin(push)
            case c.Told(entries=entries):
                await self._told(entries)
            case c.Stopping():
                await self._stop()
            case c.Refusal(code="stopping"):
                await self._stopped()
            case c.Fenced() | c.Ended():
                self._let_go(push)
            case c.Unread() | c.Emit():
                pass
            case _:
                self.stage.wrong.append(f"the worker was told {push}")

    def _let_go(self, push: c.Fenced | c.Ended) -> None:
        self.over = isinstance(push, c.Ended) and push.epoch == self._last
        if self._life is not None and self._life.epoch == push.epoch:
            self._life = None

    async def _begin(self, push: c.Assigned) -> None:
        if push.snapshot and self.plan.unfit:
            await self.stage.cue(self.process, "cannot use it")
            self._channel.post([c.Unfit(push.run, push.epoch)])
            return
        self._lives += 1
        start = push.saved if push.snapshot else push.base
        journal: dict[str, Entry] = {entry.key: entry for entry in push.entries}
        life = _Life(push.run, push.epoch, f"{self.process} {self._lives}", start, journal)
        self._life, life.stopping = life, push.stopping
        if push.snapshot:
            life.restore(push.snapshot)
        await self._go_on(life)

    async def _told(self, entries: tuple[Entry, ...]) -> None:
        life = self._life
        if life is None:
            return
        life.journal.update({entry.key: entry for entry in entries})
        if life.asking in life.journal:
            await self._go_on(life)

    async def _go_on(self, life: _Life) -> None:
        """Be told what is in the journal, and ask for what is not."""
        while (entry := life.journal.get(Key(f"0/ask#{life.told}"))) is not None:
            self._given(life, entry)
            if entry.ending == "cancelled":
                await self._stopped()
                return
        if life.told and life.values == self.plan.values:
            await self._finish(life)
        elif life.stopping:
            await self._stopped()
        else:
            await self._ask(life)

    def _given(self, life: _Life, entry: Entry) -> None:
        self.stage.note(
            e.TakeOk(
                at=0,
                run=life.run,
                stream=STREAM,
                place=f"{life.told}",
                life=life.name,
                verb="wait" if self.plan.held else "once",
                ending=entry.ending,
                digest=entry.body.decode(),
            )
        )
        life.told += 1
        life.values += entry.ending == "value"

    async def _ask(self, life: _Life) -> None:
        await self.stage.cue(self.process, "asks")
        if self._is_mute:
            return
        key = life.asking = f"0/ask#{life.told}"
        place = f"{life.told}"
        if not self._is_ghost:
            asks = e.TakeInvoke(at=0, run=life.run, stream=STREAM, place=place, life=life.name)
            self.stage.note(asks)
        timeout_ms = TIMEOUT_MS if self.plan.timeout and not life.told else -1
        standing = c.Standing(
            life.run,
            life.epoch,
            key,
            "" if self.plan.token else STREAM,
            timeout_ms=timeout_ms,
            held=self.plan.held,
            token=self.plan.token,
        )
        self._channel.post([standing])
        if self.plan.held:
            await self.stage.cue(self.process, "parks")
            if life.asking not in life.journal:
                self._channel.post([c.Parked(life.run, life.epoch, life.next_n)])
        if self.plan.saves or (self.plan.evicted and not self._evictions):
            await self._evict(life)

    async def _evict(self, life: _Life) -> None:
        """Put the run away: once, but at every question if nothing runs again thereby."""
        await self.stage.cue(self.process, "evicts")
        self._evictions += 1
        if self._life is not life:
            return
        if self.plan.saves:  # it stays until it is known that it has been left
            seen, body, drops = life.next_n, life.saved(), self.plan.drops
            saves = c.Saved(life.run, life.epoch, seen, body, drops=drops, leaves=True)
            self._channel.post([saves])
        else:
            self._life = None
            self._channel.post([c.Released(life.run, life.epoch)])

    async def _stop(self) -> None:
        life = self._life
        if life is None or life.stopping:
            return
        life.stopping = True
        await self.stage.cue(self.process, "leaves")
        self._channel.post([c.Left(life.run, life.epoch, life.asking)])

    async def _stopped(self) -> None:
        """End with the cancellation."""
        life, self._life = self._life, None
        if life is not None:
            self._last = life.epoch
            await self.stage.cue(self.process, "yields")
            self._channel.post([c.Yielded(life.run, life.epoch)])

    async def _finish(self, life: _Life) -> None:
        self._life, self._last = None, life.epoch
        await self.stage.cue(self.process, "returns")
        self._channel.post([c.Completed(life.run, life.epoch, b'"done"')])


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends one message, once. Its name is the call's, `message` what it sends and the key."""

    stage: Stage
    process: str
    api: Api
    name: str
    message: str

    async def run(self, run_id: str) -> None:
        settle(self.process)
        acks = {f"{ACKS} {name}" for name in self.stage.senders - {self.name}}
        await self.stage.cue(self.process, f"{self.name} begins", reads=frozenset(acks))
        body = f'"{self.message}"'
        self.stage.note(
            e.SendInvoke(
                at=0,
                id=self.name,
                sender=self.process,
                run=run_id,
                stream=STREAM,
                key=self.message,
                digest=body,
            )
        )
        try:
            receipt = await self._send(run_id, body)
        except Mistake as error:
            self.stage.note(e.SendFail(at=0, id=self.name, code=error.code))
        except HeadraceError as error:
            self.stage.note(e.SendInfo(at=0, id=self.name, why=error.code))
        else:
            await self.stage.cue(
                f"{self.name} itself", "ends", writes=frozenset({f"{ACKS} {self.name}"})
            )
            ok = e.SendOk(at=0, id=self.name, seq=receipt.seq, duplicate=receipt.duplicate)
            self.stage.note(ok)

    async def _send(self, run_id: str, body: str) -> Receipt:
        try:
            return await self.api.send(run_id, STREAM, body.encode(), key=self.message)
        finally:
            self.stage.sending -= {self.name}
            self.stage.asking -= {self.name}


async def complete(stage: Stage, api: Api, token: str, value: str) -> None:
    """Complete the token; whoever comes second changes nothing."""
    await api.complete_token(token, f'"{value}"'.encode())
    if stage.tables.waitpoints[WaitpointId(token)].completed is None:
        stage.wrong.append("a completion was acknowledged, and is not there")


async def cancel(stage: Stage, process: str, api: Api, run_id: str) -> None:
    """Cancel the run."""
    await stage.cue(process, "cancels")
    await api.cancel(run_id)


async def pass_time(
    stage: Stage,
    process: str,
    is_awake: Callable[[str], bool],
    steps: Sequence[int],
    *,
    at_once: bool = False,
) -> None:
    """Let time pass in steps of so many milliseconds; if `at_once`, with no move between them."""
    for number, ms in enumerate(steps):
        is_next = at_once and number > 0
        await stage.cue(process, f"{ms} ms pass", writes=frozenset({CLOCK}), at_once=is_next)
        stage.advance(ms, awake=is_awake)
