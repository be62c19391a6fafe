"""Calls to S2: each once, or again where that can do no harm; what goes wrong in our own words.

Owns: time limits, which errors pass, what S2's answers mean.
Must never know: runs, keys, records' headers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from headrace.backends.s2 import sdk
from headrace.backends.s2.place import Patience, Place
from headrace.errors import HeadraceError, Throttled, Unavailable

T = TypeVar("T")

PAUSES: Final = (0.02, 0.1, 0.3, 1.0)
AT_ONCE: Final = 1_000
"""Records in one answer, at the most."""

_MISSING: Final = frozenset({"stream_not_found", "stream_deletion_pending"})
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})


class Lost(Exception):
    """It may have happened or not: nobody said."""

    def __init__(self, told: HeadraceError) -> None:
        super().__init__(told.message)
        self.told = told


@dataclass(frozen=True, slots=True)
class Taken:
    """The number was taken: what is next, as S2 says."""

    next: int


@dataclass(frozen=True, slots=True)
class Page:
    """Records as they follow on each other. Where there are none, `tail` is the stream's end."""

    records: Sequence[sdk.SequencedRecord]
    tail: int = 0


class Basin:
    """The streams of one basin, by name."""

    def __init__(self, client: sdk.Client, place: Place, patience: Patience) -> None:
        self._basin, self._place = client.basin(place.basin), place
        self._client, self._patience = client, patience

    def turns(self) -> Turns:
        """Return when something is tried again."""
        return Turns(self._patience)

    async def append(self, name: str, batch: list[sdk.Record], at: int) -> Taken | None:
        """Append at number `at`, once, all or nothing; raise `Lost` when nobody says which."""
        asked = sdk.AppendInput(records=batch, match_seq_num=at)
        stream = self._basin.stream(name)
        try:
            await limited(self._quick(partial(stream.append, asked)), self._patience)
        except sdk.SeqNumMismatchError as error:
            return Taken(error.expected_seq_num)
        except sdk.S2Error as error:
            told = told_of(error, self._place)
            if is_passing(error):
                raise Lost(told) from error
            raise told from error
        return None

    async def read(self, name: str, start: int, count: int) -> Page:
        """Return up to `count` records from number `start` on, as many as fit into one answer."""
        limit = sdk.ReadLimit(count=min(count, AT_ONCE))
        stream = self._basin.stream(name)
        try:
            batch = await self._asked(lambda: stream.read(start=sdk.SeqNum(start), limit=limit))
        except _Nothing as nothing:
            return Page((), nothing.tail)
        return Page(batch.records)

    async def last(self, name: str) -> sdk.SequencedRecord | None:
        """Return the last record, if there is one."""
        stream, limit = self._basin.stream(name), sdk.ReadLimit(count=1)
        with suppress(_Nothing):
            batch = await self._asked(lambda: stream.read(start=sdk.TailOffset(1), limit=limit))
            return batch.records[0]
        return None

    async def names(self, prefix: str) -> list[str]:
        """List the streams whose names begin so."""
        names, last, more = list[str](), "", True
        while more:
            page = await self._asked(
                partial(self._basin.list_streams, prefix=prefix, start_after=last)
            )
            names += [info.name for info in page.items if info.deleted_at is None]
            more = page.has_more and bool(page.items)
            last = page.items[-1].name if page.items else last
        return names

    async def delete(self, name: str) -> None:
        """Delete the stream, if it is there. It is gone at once, its name after a while."""
        with suppress(_Nothing):
            await self._asked(lambda: self._basin.delete_stream(name))

    def _quick(self, call: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
        """Have the answer acknowledged at once: asked for when the request has been sent.

        Where none comes, the next call goes another way.
        """

        async def called() -> T:
            asyncio.get_running_loop().call_soon(sdk.acknowledge_at_once, self._client)
            try:
                return await call()
            except sdk.S2ClientError:
                sdk.leave_ways(self._client)
                raise

        return called

    async def _asked(self, call: Callable[[], Awaitable[T]]) -> T:
        """Ask something that may be asked twice."""
        try:
            return await patient(self._quick(call), self._patience)
        except sdk.ReadUnwrittenError as error:
            raise _Nothing(error.tail.seq_num) from error
        except sdk.S2ServerError as error:
            if error.code in _MISSING:
                raise _Nothing(0) from error
            raise told_of(error, self._place) from error
        except sdk.S2Error as error:
            raise told_of(error, self._place) from error


class _Nothing(Exception):
    """There is no such stream, or nothing in it from there on."""

    def __init__(self, tail: int) -> None:
        super().__init__(tail)
        self.tail = tail


async def limited(call: Callable[[], Awaitable[T]], patience: Patience) -> T:
    """Call S2 once, within the time for a call, and be cancelled when one is told to be.

    The client waits by `wait_for`, which on Python 3.11 may swallow a cancellation.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        async with asyncio.timeout(patience.call):
            answer = await call()
    except TimeoutError as error:
        raise sdk.S2ClientError("no answer in time") from error
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return answer


async def patient(call: Callable[[], Awaitable[T]], patience: Patience) -> T:
    """Call S2 again while what goes wrong may pass."""
    turns = Turns(patience)
    while True:
        try:
            return await limited(call, patience)
        except sdk.S2Error as error:
            if not is_passing(error) or not await turns.next():
                raise


class Turns:
    """When something is tried again, and for how long."""

    def __init__(self, patience: Patience) -> None:
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + patience.everything
        self._count = 0

    async def next(self) -> bool:
        """Wait for the next turn, if there is one."""
        pause = PAUSES[min(self._count, len(PAUSES) - 1)]
        if self._clock() + pause >= self._until:
            return False
        self._count += 1
        await asyncio.sleep(pause)
        return True


def is_passing(error: sdk.S2Error) -> bool:
    """Tell whether the same call may succeed later."""
    if isinstance(error, sdk.S2ServerError):
        return error.status_code in _PASSING or error.code == "transaction_conflict"
    return True  # the way there, or an answer that never came


def told_of(error: sdk.S2Error, place: Place) -> HeadraceError:
    """Say in our own words what went wrong."""
    if not isinstance(error, sdk.S2ServerError):
        return Unavailable(f"S2 does not answer ({place}): {_cause(error)}", hint="Try again.")
    match error.status_code:
        case 401 | 403:
            return Unavailable(f"S2 refuses the token ({place})", hint="See HEADRACE_S2_TOKEN.")
        case 404 if error.code == "basin_not_found":
            return Unavailable(f"S2 has no {place} any more", hint="Start the server again.")
        case 409 if error.code in _MISSING:
            return Unavailable(f"the stream is being deleted ({place})")
        case 429:
            return Throttled(f"S2 takes no more for now ({place})")
        case status:
            what = f"{status} {error.code}: {error.message[:200]}"
            return Unavailable(f"S2 fails ({place}): {what}", hint="Try again.")


def _cause(error: BaseException) -> str:
    """Return what is at the bottom of it, in a line."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return (str(error) or type(error).__name__).splitlines()[0][:200]
