"""The ports `Streams` and `Extending` on S2.

Owns: that a key stands once, though S2 knows no keys. Must never know: how S2 is reached.

An append goes to the number that its draft names, on the condition that this is the next one, and
only from a process that knows the keys of all records below. So a key can stand there once: what
another process has appended meanwhile makes the condition fail, is read, and settles it. After a
lost acknowledgement the same append is made again, to the same number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Final

from headrace.backends.s2 import names, records, sdk
from headrace.backends.s2.basin import AT_ONCE, Basin, Lost, Page
from headrace.backends.s2.log import Log, Logs
from headrace.backends.s2.recent import Recent
from headrace.backends.s2.records import Stored
from headrace.errors import HeadraceError, NotFound, Throttled, Unavailable
from headrace.kernel.model import Record, RunId, StreamId, is_inward
from headrace.ports import Appended, Backlog, Blobs, Chance, Clash, Conflict, Draft, Notebook

NAME_BYTES: Final = 8
SHORT_BYTES: Final = 262_144
"""An answer may be cut where it is long: one that is shorter held all there was, but for luck."""


class S2Streams:
    """The ports `Streams` and `Extending`."""

    def __init__(
        self, basin: Basin, blobs: Blobs, notebook: Notebook, chance: Chance, *, prefix: str = ""
    ) -> None:
        self._basin, self._blobs, self._notebook = basin, blobs, notebook
        self._prefix = prefix
        self._logs, self._recent = Logs(), Recent()
        self._me, self._count = chance.unique(NAME_BYTES), 0

    async def append(self, draft: Draft) -> Appended:
        """Append at `draft.seq`, or return where its key stands."""
        async with self._logs.held(self._name(draft.run_id, draft.stream)) as log:
            await self._reach(log, draft)
            repeated = _repeated(log, draft)
            if repeated is None:
                if await self._place(log, (draft,)):
                    return Appended(draft.seq)
                repeated = _repeated(log, draft)
            if repeated is None:
                raise Clash
            return repeated

    async def extend(self, drafts: Sequence[Draft]) -> int:
        """Append the first of these drafts of one stream, as many as go at once; say how many."""
        first = drafts[0]
        async with self._logs.held(self._name(first.run_id, first.stream)) as log:
            await self._reach(log, first)
            fresh = tuple(takewhile(lambda draft: _repeated(log, draft) is None, drafts))
            some = fresh[: _fitting(fresh)]
            if not some or not await self._place(log, some):
                raise Clash
            return len(some)

    async def _reach(self, log: Log, draft: Draft) -> None:
        """Know the log as far as the draft does."""
        if draft.seq > log.tail and draft.key not in log.keys:
            await self._catch_up(log)

    async def _place(self, log: Log, drafts: Sequence[Draft]) -> bool:
        """Append at the end of the log, if that is where the drafts belong; tell whether it is."""
        first = drafts[0]
        if first.seq != log.tail or _is_late(log, first):
            raise Clash
        if first.seq:
            return await self._append(log, drafts)
        # A stream's first record: who follows the run learns that it has one more.
        if await self._notebook.read(first.run_id) is None:
            raise NotFound(f"there is no run {first.run_id}")
        is_there = await self._append(log, drafts)
        if is_there and not is_inward(first.stream):
            await self._note(first.run_id)
        return is_there

    async def _note(self, run_id: RunId) -> None:
        """Move the run's revision, as a database does that has the streams itself."""
        while (notes := await self._notebook.read(run_id)) is not None:
            with suppress(Conflict):
                await self._notebook.write(run_id, notes)
                return

    async def _append(self, log: Log, drafts: Sequence[Draft]) -> bool:
        """Append at the log's end until somebody says what became of it: all, or none of it."""
        mine, turns = await self._made(log, drafts), self._basin.turns()
        made = [sdk.Record(body=one.body, headers=records.headers_of(one)) for one in mine]
        told: HeadraceError | None = None
        while True:
            try:
                taken = await self._basin.append(log.name, made, log.tail)
            except Lost as lost:
                if told is None or isinstance(told, Throttled):
                    told = lost.told  # what was left without an answer once may stand
                if await turns.next():
                    continue
                raise told from lost
            if taken is None:
                self._learn(log, mine)
                return True
            if taken.next <= log.tail:
                raise records.broken(log.name, taken.next)
            # Who took the number: this very append, its answer lost, or another?
            try:
                return await self._catch_up(log, taken.next, mine[0].by)
            except Throttled as error:
                raise told or error from error

    async def _made(self, log: Log, drafts: Sequence[Draft]) -> list[Stored]:
        """Return the records to append, once long bodies are where they belong."""
        self._count += 1
        by = self._me + self._count.to_bytes(NAME_BYTES, "big")
        mine, below, apart = list[Stored](), log.size, log.apart
        for draft in drafts:
            says_whose = names.is_hashed(log.name)
            one = records.stored_of(draft, by, below, apart, says_whose=says_whose)
            if one.hash:
                await self._blobs.put(_blob(log.name, one.hash), draft.body)
            mine.append(one)
            below, apart = one.end, one.apart
        return mine

    async def _catch_up(self, log: Log, end: int | None = None, by: bytes = b"") -> bool:
        """Learn what stands from the log's end on, to number `end` if it is known.

        Tell whether the append `by` wrote any of it.
        """
        is_there, turns = False, self._basin.turns()
        while end is None or log.tail < end:
            found = await self._learned(log)
            is_there = is_there or any(stored.by == by for stored in found)
            if found:
                continue
            if end is None:
                break
            if not await turns.next():
                raise _hidden(log.name)
        return is_there

    async def _learned(self, log: Log) -> list[Stored]:
        """Learn what stands at the log's end, as much as S2 gives at once; return it."""
        page = await self._basin.read(log.name, log.tail, AT_ONCE)
        if not page.records and page.tail < log.tail:
            raise records.broken(log.name, page.tail)
        found = _in_order(log.name, log.tail, page)
        self._learn(log, found)
        return found

    def _learn(self, log: Log, found: Sequence[Stored]) -> None:
        """Know what follows in the log."""
        for stored in found:
            log.learn(stored)
        self._recent.put(log.name, found)

    async def read(
        self, run_id: RunId, stream: StreamId, start: int, limit: int
    ) -> Sequence[Record]:
        """Return up to `limit` records from number `start` on."""
        name = self._name(run_id, stream)
        found = self._recent.get(name, start, limit)
        while len(found) < limit:
            page = await self._page(name, start + len(found), limit - len(found))
            if not page:
                break
            found += page
        return [await self._record(name, stored) for stored in found[:limit]]

    async def _page(self, name: str, start: int, count: int) -> list[Stored]:
        """Return records from number `start` on, as many as S2 gives at once, perhaps more.

        Who reads one after another reads some ahead, unless they are long.
        """
        page = await self._basin.read(name, start, max(count, self._recent.ahead(name)))
        found = _in_order(name, start, page)
        self._recent.put(name, found)
        return found

    async def _one(self, name: str, seq: int) -> Stored:
        """Return one record, which stands."""
        found = self._recent.get(name, seq, 1) or await self._page(name, seq, 1)
        if not found:
            raise _hidden(name)
        return found[0]

    async def _record(self, name: str, stored: Stored) -> Record:
        body = stored.body
        if stored.hash:
            body = await self._blobs.get(_blob(name, stored.hash)) or b""
            if records.hash_of(body) != stored.hash:
                message = f"the body of record {stored.seq} of {name!r} is damaged, or gone"
                raise Unavailable(message, hint="It was kept in the database, not in S2.")
        return Record(stored.seq, body, stored.at, stored.key, stored.digest)

    async def known(self, run_id: RunId, stream: StreamId, key: bytes) -> Record | None:
        """Return the record that was appended under `key`, without its body."""
        if not key:
            return None
        async with self._logs.held(self._name(run_id, stream)) as log:
            if key not in log.keys:
                # Once is enough: an append that does not know what stands is refused.
                while _is_cut(await self._learned(log)):
                    pass
            found = log.keys.get(key)
            return None if found is None else Record(found.seq, b"", found.at, key, found.digest)

    async def backlog(self, run_id: RunId, stream: StreamId, start: int) -> Backlog:
        """Weigh what stands from number `start` on."""
        name = self._name(run_id, stream)
        tail, total, _ = await self._weighed(name)
        if start >= tail:
            return Backlog(tail)
        if not start:
            return Backlog(tail, tail, total)
        first = await self._one(name, start)
        return Backlog(tail, tail - start, total - first.below)

    async def ends(self, run_id: RunId) -> Mapping[StreamId, Backlog]:
        """Weigh the whole of each stream of the run that holds a record."""
        found = await self._basin.names(names.folder(self._prefix, run_id))
        weighed = await asyncio.gather(*[self._end(run_id, name) for name in found])
        return {stream: end for stream, end in weighed if stream is not None and end.tail}

    async def _end(self, run_id: RunId, name: str) -> tuple[StreamId | None, Backlog]:
        tail, total, last = await self._weighed(name)
        stream = names.stream_of(self._prefix, run_id, name)
        if stream is None and tail:
            stream = (last or await self._one(name, tail - 1)).stream
        return stream, Backlog(tail, tail, total)

    async def _weighed(self, name: str) -> tuple[int, int, Stored | None]:
        """Return a stream's end, the bytes of all its bodies, and the last record if it was read.

        Each record says what is below it, so that this does not grow with the stream.
        """
        log = self._logs.peek(name)
        if log is not None and log.tail and not log.lock.locked():
            async with self._logs.held(name) as log:
                await self._catch_up(log)
                return log.tail, log.size, None
        found = await self._basin.last(name)
        if found is None:
            return 0, 0, None
        last = records.read(found, name)
        return last.seq + 1, last.end, last

    def seen(self, run_id: RunId, stream: StreamId) -> Backlog | None:
        """Return where the stream ends, as far as it is known here."""
        log = self._logs.peek(self._name(run_id, stream))
        return Backlog(log.tail, log.tail, log.size) if log is not None and log.tail else None

    async def drop(self, run_id: RunId) -> None:
        """Delete all streams of the run, for good: they are not appended to any more."""
        for name in await self._basin.names(names.folder(self._prefix, run_id)):
            async with self._logs.held(name) as log:
                _, _, last = await self._weighed(name)
                if (last or log).apart:
                    await self._drop_bodies(name)
                await self._basin.delete(name)
            self._logs.forget(name)
            self._recent.forget(name)

    async def _drop_bodies(self, name: str) -> None:
        start = 0
        while page := await self._page(name, start, AT_ONCE):
            for stored in page:
                if stored.hash:
                    await self._blobs.drop(_blob(name, stored.hash))
            start += len(page)

    def _name(self, run_id: RunId, stream: StreamId) -> str:
        return names.name_of(self._prefix, run_id, stream)


def _hidden(name: str) -> Unavailable:
    return Unavailable(f"S2 does not show what it has in {name!r}", hint="Try again.")


def _in_order(name: str, start: int, page: Page) -> list[Stored]:
    """Return what stands in a page, which has no gaps."""
    found = [records.read(one, name) for one in page.records]
    for seq, stored in enumerate(found, start):
        if stored.seq != seq:
            raise records.broken(name, seq)
    return found


def _is_cut(found: Sequence[Stored]) -> bool:
    """Tell whether an answer may be a part only."""
    return len(found) == AT_ONCE or sum(len(one.body) for one in found) > SHORT_BYTES


def _fitting(drafts: Sequence[Draft]) -> int:
    """Count the first of the drafts that fit into one append."""
    room, count = records.AT_ONCE_BYTES, 0
    for draft in drafts[:AT_ONCE]:
        room -= records.weight(draft)
        if room < 0 and count:
            break
        count += 1
    return count


def _is_late(log: Log, draft: Draft) -> bool:
    """Tell whether a later life of the run has written already: this one has not heard of it."""
    return not is_inward(draft.stream) and draft.epoch < log.epoch


def _repeated(log: Log, draft: Draft) -> Appended | None:
    """Tell where the draft's key stands, if it does."""
    known = log.keys.get(draft.key) if draft.key else None
    if known is None:
        return None
    return Appended(known.seq, duplicate=True, same=known.digest == draft.digest)


def _blob(name: str, hashed: str) -> str:
    return f"s2/{name}/{hashed}"
