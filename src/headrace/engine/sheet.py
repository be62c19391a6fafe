"""What one commit of a run will be made of: commands decided one after another, merged.

Owns: the merging of changes and of drafts, and reads that see them. Must never know: who asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from headrace.kernel import machine
from headrace.kernel.commands import Change, Command, Deliver
from headrace.kernel.evolve import evolve
from headrace.kernel.model import (
    Entry,
    Instant,
    Key,
    Record,
    Run,
    StreamId,
    WaitpointId,
    is_inward,
    waitpoint_of,
)
from headrace.ports import Backlog, Draft, Extending, Postponed, Sight, Stores


@dataclass(frozen=True, slots=True)
class Unread:
    """What a run has not taken of all its input streams."""

    count: int
    size: int


@dataclass(slots=True)
class Push:
    """A trigger that puts the run off; what came of it is known once that is committed."""

    trigger: Postponed
    is_spent: bool = False


class Tails:
    """Where the streams of one run end, as far as this process has seen: all of them, or none."""

    __slots__ = ("extending", "known", "sight")

    def __init__(self, extending: Extending | None = None) -> None:
        self.extending = extending
        """Who has seen more, perhaps, since these were noted."""
        self.known: dict[StreamId, Backlog] = {}
        self.sight: Sight | None = None
        """What was seen for the batch that is being decided."""

    def see(self, sight: Sight | None) -> None:
        """Know what was seen just now; `None`: nothing is known any more."""
        self.known = {} if sight is None else dict(sight.ends)
        self.sight = sight


class Sheet:
    """One run's next change. Everything here is undone by throwing the sheet away."""

    __slots__ = (
        "_extending",
        "_saved",
        "_streams",
        "_waitpoints",
        "answered",
        "before",
        "checks",
        "drafts",
        "dropped",
        "emitted",
        "entries",
        "grown",
        "has_survey",
        "is_hasty",
        "looked",
        "noted",
        "now",
        "own",
        "own_end",
        "pushes",
        "repeated",
        "reread",
        "run",
        "sight",
        "tails",
        "trouble",
        "undone",
        "unfit",
        "written",
    )

    def __init__(
        self,
        run: Run,
        stores: Stores,
        tails: Tails,
        now: Instant,
        answered: frozenset[Key] = frozenset(),
    ) -> None:
        self.before, self.run, self.now = run, run, now
        self.answered = set(answered)
        """Keys answered here, and those in the journal once a commit has met one of them."""
        self.entries: list[Entry] = []
        self.undone: int | None = None
        self.dropped: int | None = None
        self._saved: Change | None = None
        """The last change that saved the state of the code."""
        self.drafts: list[Draft] = []
        self.own: set[Key] = set()
        """Keys of entries that the worker sent itself."""
        self.emitted, self.noted = list[str](), list[str]()
        """Keys of output records, and of metadata, that the worker waits for."""
        self.trouble: Exception | None = None
        """Why nothing on this sheet may land: what had to be durable before it is not."""
        self.pushes: list[Push] = []
        """Triggers that put the run off."""
        self.own_end = self.looked = self.reread = self.has_survey = False
        """If the worker ends its hold; is told what others wrote, or all are; if ends are new."""
        self.grown: dict[StreamId, Backlog] = {}
        """Where streams end in which another process has written, but for drafts."""
        self.is_hasty = self.checks = False
        """Whether only the append knows keys, if the run is checked."""
        self.repeated = set[StreamId]()
        """Streams with records that were sent again, and may not have been offered to anybody."""
        self.unfit: int | None = None
        """The epoch whose worker can make nothing of the snapshot that it was given."""
        self.written = set[tuple[StreamId, int]]()
        """What is in the log already, of records that earlier sheets of the same batch appended."""
        self._streams, self._waitpoints = stores.streams, stores.waitpoints
        self.tails, self.sight, self._extending = dict(tails.known), tails.sight, tails.extending
        """Where the streams end once this sheet has landed; what was seen of the run."""

    @property
    def is_news(self) -> bool:
        """Tell whether others may want to look at the run once this has landed."""
        added = self.drafts or self.entries or self.pushes or self.repeated
        return bool(added) or self.run.version != self.before.version

    def apply(self, command: Command) -> Change:
        """Decide `command` on the run as it is after what came before on this sheet."""
        change = machine.decide(self.run, command, self.now)
        if change.undone is not None:
            self._undo(change.undone)
        if change.saved is not None:
            self._saved = change
        if change.dropped is not None:
            self.dropped = change.dropped
        self.entries.extend(change.entries)
        self.answered.update(entry.key for entry in change.entries)
        self.run = change.after
        return change

    def _undo(self, start: int) -> None:
        self.entries = [entry for entry in self.entries if entry.n < start]
        self.undone = start if self.undone is None else min(start, self.undone)
        if self.dropped is not None and start < self.dropped:
            self.dropped = None  # the run begins again: what it will remember has these numbers

    def change(self) -> Change:
        """Return all that was decided as one change of one version step.

        The versions in between were never visible to anybody.
        """
        if self.run.version == self.before.version:
            return Change(self.before, self.before)
        after = self.landed()
        change = Change(self.before, after, tuple(self.entries), self.undone, dropped=self.dropped)
        if self._saved is None or after.saved is None:
            return change
        return evolve(change, saved=self._saved.saved, footing=self._saved.footing)

    def landed(self) -> Run:
        """Return the run as it is once the sheet has been committed."""
        if self.run.version <= self.before.version + 1:
            return self.run
        return evolve(self.run, version=self.before.version + 1)

    async def tail(self, stream: StreamId, *, anew: bool = False) -> Backlog:
        """Return where `stream` ends, and what it holds, or held when it was weighed last.

        `anew`: it has grown elsewhere; the landing tells of that.
        """
        if anew:
            self.grown[stream] = await self._streams.backlog(self.run.id, stream, 0)
        if not self.tails and self.sight is None:
            self.tails.update(await self._streams.ends(self.run.id))
        end = self.tails.setdefault(stream, Backlog())
        if self._extending is not None:
            seen = self._extending.seen(self.run.id, stream)
            if seen is not None and seen.tail > end.tail:
                end = self.tails[stream] = seen
        return end

    async def survey(self) -> None:
        """Find out where all streams end; what was seen of the run tells it already."""
        if self.sight is not None:
            return
        found = await self._streams.ends(self.run.id)
        fuller = {one: end for one, end in found.items() if end.tail > self._end(one)}
        self.tails.update(fuller)
        self.has_survey = True

    def _end(self, stream: StreamId) -> int:
        return self.tails.get(stream, Backlog()).tail

    async def unread(self, stream: StreamId | None = None, *, exactly: bool = False) -> Unread:
        """Count what is unread in the run's input streams; `stream` is one of them.

        The size may be too large, unless it is asked for `exactly`: takes are not followed.
        """
        if stream is not None:
            await self.tail(stream)
        if exactly:
            await self._weigh()
        ends = [(self.cursor(one), end) for one, end in self.tails.items() if is_inward(one)]
        count = sum(max(0, end.tail - cursor) for cursor, end in ends)
        return Unread(count, sum(end.size for _, end in ends))

    async def _weigh(self) -> None:
        for one in [one for one in self.tails if is_inward(one)]:
            found = await self._streams.backlog(self.run.id, one, self.cursor(one))
            added = [d for d in self.drafts if d.stream == one and d.seq >= found.tail]
            size = found.size + sum(len(draft.body) for draft in added)
            self.tails[one] = Backlog(found.tail + len(added), found.count + len(added), size)

    def cursor(self, stream: StreamId) -> int:
        """Return the number of the next record that the run has not taken."""
        return self.run.cursors.get(stream, 0)

    async def append(self, stream: StreamId, body: bytes, key: bytes, digest: bytes) -> int:
        """Put a record at the end of `stream`; return its number."""
        tail = await self.tail(stream)
        seq = tail.tail
        epoch = self.run.epoch
        self.drafts.append(Draft(self.run.id, stream, seq, body, self.now, key, digest, epoch))
        self.tails[stream] = Backlog(seq + 1, tail.count + 1, tail.size + len(body))
        return seq

    async def head(self, stream: StreamId) -> Record | None:
        """Return the record at the cursor, if there is one; of a waitpoint, its value."""
        waitpoint = waitpoint_of(stream)
        if waitpoint is not None:
            return await self._value(waitpoint)
        cursor = self.cursor(stream)
        for draft in self.drafts:
            if draft.stream == stream and draft.seq == cursor:
                return Record(cursor, draft.body, draft.at, draft.key, draft.digest)
        if self.has_survey and self._end(stream) <= cursor:
            return None
        found = await self._streams.read(self.run.id, stream, cursor, 1)
        return found[0] if found else None

    async def _value(self, waitpoint: WaitpointId) -> Record | None:
        known = await self._waitpoints.load(waitpoint)
        if known is None or known.completed is None:
            return None
        return Record(0, known.output or b"null", known.completed)

    def stands(self, stream: StreamId) -> bool:
        """Tell whether a wait stands on `stream`."""
        return any(wait.stream == stream for wait in self.run.waits)

    async def catch_up(self, stream: StreamId) -> bool:
        """Let standing waits take what the log holds from the cursor on; tell if any did."""
        took = False
        while self.stands(stream) and (record := await self.head(stream)) is not None:
            if not self.apply(Deliver(stream, (record,))).entries:
                break
            took = True
        return took


def drafted(sheet: Sheet, stream: StreamId, key: bytes) -> Draft | None:
    """Return the record that the sheet appends under `key`."""
    return next((d for d in sheet.drafts if d.key == key and d.stream == stream), None)
