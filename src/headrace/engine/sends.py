"""Sending to a run, and reading its streams.

Owns: law 7, the order of the checks at the door, and the receipt.
Must never know: HTTP, tokens.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from msgspec import Raw

from headrace.engine.core import Core
from headrace.engine.ids import unknown_run
from headrace.engine.jobs import Hasty
from headrace.engine.sheet import Sheet, drafted
from headrace.errors import (
    Forbidden,
    KeyReused,
    Mistake,
    NotFound,
    RunIsOver,
    Throttled,
    TooLarge,
)
from headrace.kernel.commands import Deliver
from headrace.kernel.model import (
    EnvId,
    Over,
    Record,
    Run,
    RunId,
    StreamId,
    inward,
    outward,
)
from headrace.ports import Draft
from headrace.wire import jsontext, schemas
from headrace.wire.registration import StreamSpec
from headrace.wire.views import Receipt, RecordView

UNREAD_AT_MOST = 100_000
"""Of a run, over all its input streams; so are the bytes."""
UNREAD_BYTES_AT_MOST = 256 * 1_024 * 1_024
FIRST, PAGE, PAGE_BYTES = 8, 200, 1_048_576
"""Records that a reader is given at once: at first, at the most, and about how many bytes of them.

Whoever reads slowly keeps a page in memory for as long as he takes.
"""


class Crowded(Throttled):
    """Too much is unread in the run: nothing was appended, and it is the run that has to read."""


def key_of(space: str, key: str) -> bytes:
    """Return the stored form of an idempotency key; each space is apart from the others."""
    return blake2b(f"{space}\0{key}".encode(), digest_size=16).digest()


@dataclass(slots=True)
class Message(Hasty):
    """One send on its way through the door. `data` is JSON text, or what is wrong with it."""

    core: Core
    env: EnvId
    stream: str
    data: bytes | Mistake
    key: bytes
    trusted: bool
    spec: StreamSpec | None
    seq: int = -1
    """Where it was to stand when this was decided last."""

    async def __call__(self, sheet: Sheet) -> object:
        """Check, append, and let whoever waits take it: all in one commit."""
        run, stream = sheet.run, inward(self.stream)
        if run.env != self.env:
            raise unknown_run(run.id)
        asks = not sheet.is_hasty or isinstance(run.state, Over) or self.core.repeats.are_expected
        if (receipt := await self._known(sheet, stream, asks=asks)) is not None:
            return receipt
        try:
            return await self._let_in(sheet, stream)
        except Mistake:
            # Nothing was appended that would tell: a known key comes before any refusal (law 7).
            if asks or (receipt := await self._known(sheet, stream, asks=True)) is None:
                raise
            return receipt

    async def _let_in(self, sheet: Sheet, stream: StreamId) -> Receipt:
        run = sheet.run
        if isinstance(run.state, Over):
            raise over(run)
        data = self._checked(run)
        await self._limit(sheet, stream, data)
        if (await sheet.tail(stream)).tail > sheet.cursor(stream):
            await sheet.catch_up(stream)  # what another process appended comes first
        self.seq = seq = await sheet.append(stream, data, self.key, jsontext.digest(data))
        record = Record(seq, data, sheet.now)
        took = sheet.apply(Deliver(stream, (record,))).entries
        return Receipt(seq=seq, duplicate=False, resumed=bool(took))

    async def _known(self, sheet: Sheet, stream: StreamId, *, asks: bool) -> Receipt | None:
        """Give the receipt again to whoever sends again; heal a wake-up lost in between."""
        record: Draft | Record | None = drafted(sheet, stream, self.key)
        if record is None and asks:
            record = await self.core.stores.streams.known(sheet.run.id, stream, self.key)
        if record is None:
            return None
        self.core.repeats.met()
        if isinstance(self.data, Mistake) or record.digest != jsontext.digest(self.data):
            message = "this idempotency key was used before, with another body"
            raise KeyReused(message, hint="Use a new key for a new message.", seq=record.seq)
        is_own = self.seq == record.seq and (stream, record.seq) in sheet.written
        is_unread = record.seq >= sheet.cursor(stream)
        if is_own and is_unread and isinstance(sheet.run.state, Over):
            raise over(sheet.run)  # it came too late: nobody will read it
        sheet.looked = sheet.looked or is_own  # it is on no sheet: the worker has to be told
        if self.core.is_elsewhere:
            sheet.repeated.add(stream)  # who appended it may have died before the offer
        took = await sheet.catch_up(stream)
        return Receipt(seq=record.seq, duplicate=not is_own, resumed=is_own and took)

    def _checked(self, run: Run) -> bytes:
        spec = self.spec
        if spec is None or not spec.inward:
            message = f"no task of this environment declares an input stream {self.stream!r}"
            hint = "Declare it with streams.input(...) in a module that a worker imports."
            raise NotFound(message, hint=hint, run=run.id)
        if spec.trusted and not self.trusted:
            message = f"stream {self.stream!r} takes only secret keys and tokens that name it"
            raise Forbidden(message)
        if isinstance(self.data, Mistake):
            raise self.data
        if len(self.data) > jsontext.MAX_DATA:
            message = (
                f"a message holds at most {jsontext.MAX_DATA} bytes, this has {len(self.data)}"
            )
            raise TooLarge(message)
        schemas.validator(spec.schema)(self.data)
        return self.data

    async def _limit(self, sheet: Sheet, stream: StreamId, data: bytes) -> None:
        """Demand room: what is unread counts, whichever input stream of the run it stands in."""
        unread = await sheet.unread(stream)
        if unread.count < UNREAD_AT_MOST and unread.size + len(data) > UNREAD_BYTES_AT_MOST:
            unread = await sheet.unread(stream, exactly=True)
        if unread.count >= UNREAD_AT_MOST:
            what = f"{unread.count} unread messages"
        elif unread.size + len(data) > UNREAD_BYTES_AT_MOST:
            what = f"{unread.size} bytes of unread messages"
        else:
            return
        message = f"{what} wait in the input streams of this run"
        raise Crowded(message, hint="Send again once the run has read some.")


def over(run: Run) -> RunIsOver:
    """Say that the run has ended."""
    how = type(run.state.outcome).__name__.lower() if isinstance(run.state, Over) else "over"
    message = f"run {run.id} has ended ({how}); nothing can be sent to it any more"
    return RunIsOver(message)


async def send(core: Core, message: Message, run_id: str) -> Receipt:
    """Put the message through the door of the run."""
    answer = await core.post(RunId(run_id), message)
    if not isinstance(answer, Receipt):
        raise TypeError(answer)
    return answer


async def tail(
    core: Core, env: EnvId, run_id: str, stream: str, *, is_inward: bool, start: int
) -> AsyncGenerator[RecordView]:
    """Yield records from `start` (below 0: the present end) on, until the run is final and read."""
    ident, limit = RunId(run_id), FIRST
    stream_id = inward(stream) if is_inward else outward(stream)
    with core.readers.of(ident) as bell:
        while True:
            bell.clear()
            run = await core.stores.runs.load(ident)
            if run is None or run.env != env:
                raise unknown_run(run_id)
            if start < 0:
                start = (await core.stores.streams.backlog(ident, stream_id, 0)).tail
            records = await core.stores.streams.read(ident, stream_id, start, limit)
            for record in records:
                yield view(record)
            start += len(records)
            if records:
                limit = _fitting(records)
                continue
            if isinstance(run.state, Over):
                return
            await bell.wait()


def _fitting(records: Sequence[Record]) -> int:
    """Return how many such records make a page."""
    size = sum(len(record.body) for record in records)
    return max(1, min(PAGE, PAGE_BYTES * len(records) // max(1, size)))


def view(record: Record) -> RecordView:
    """Show a record. Its id tells repeats apart within one connection."""
    return RecordView(
        seq=record.seq,
        timestamp=record.at,
        id=f"{record.seq:07x}",
        data=Raw(record.body),
    )
