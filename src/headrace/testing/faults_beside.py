"""What stands beside runs, with a write that fails: see `headrace.testing.faults`.

Must never know: what a write means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headrace.kernel.commands import Change
from headrace.kernel.model import EnvId, Instant, RunId, TaskId, WaitpointId
from headrace.ports import (
    Counted,
    Credential,
    Credentials,
    Issued,
    Notebook,
    Notes,
    Postponed,
    Postponing,
    Retried,
    Revision,
    Revisions,
    Tagged,
    Taken,
    Use,
    Waitpoint,
    WaitpointFilter,
    Waitpoints,
)
from headrace.testing.faulting import Faults


class FailingRevisions:
    """`Revisions`; they are only read."""

    def __init__(self, inner: Revisions, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    async def of(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Revision]:
        """Return revisions."""
        return await self._faults.read(self._inner.of(run_ids))

    async def tagged(self, query: Tagged, limit: int) -> Sequence[Revision]:
        """Return revisions of runs with tags."""
        return await self._faults.read(self._inner.tagged(query, limit))

    async def tags(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Sequence[str]]:
        """Return tags."""
        return await self._faults.read(self._inner.tags(run_ids))


class FailingNotebook:
    """`Notebook`; writing is a write."""

    def __init__(self, inner: Notebook, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    async def read(self, run_id: RunId) -> Notes | None:
        """Return the notes."""
        return await self._faults.read(self._inner.read(run_id))

    async def write(self, run_id: RunId, notes: Notes) -> None:
        """Replace the notes."""
        await self._faults.write(lambda: self._inner.write(run_id, notes))


class FailingTaken:
    """`Taken`; freeing is a write."""

    def __init__(self, inner: Taken, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    async def free(self, env: EnvId, task: TaskId, key: str, now: Instant) -> RunId | None:
        """Free a key."""
        return await self._faults.write(lambda: self._inner.free(env, task, key, now))

    async def purge(self, now: Instant, limit: int) -> int:
        """Forget what is free; no write that anybody waits for."""
        return await self._faults.read(self._inner.purge(now, limit))


class FailingPostponing:
    """`Postponing`; it is a write."""

    def __init__(self, inner: Postponing, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    async def postpone(self, change: Change, triggers: Sequence[Postponed]) -> Sequence[bool]:
        """Put a run off."""
        return await self._faults.write(lambda: self._inner.postpone(change, triggers))


class FailingCredentials:
    """`Credentials`; all but looking is a write."""

    def __init__(self, inner: Credentials, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    async def add(self, credential: Credential, now: Instant) -> None:
        """Keep a key."""
        await self._faults.write(lambda: self._inner.add(credential, now))

    async def end(
        self,
        env: EnvId,
        key_id: str,
        until: Instant,
        now: Instant,
        *,
        new: Credential | None = None,
    ) -> bool:
        """Let a key end."""
        return await self._faults.write(lambda: self._inner.end(env, key_id, until, now, new=new))

    async def listing(self, env: EnvId) -> Sequence[Credential]:
        """List keys."""
        return await self._faults.read(self._inner.listing(env))

    async def current(self, now: Instant) -> Sequence[Credential]:
        """List keys that have not ended."""
        return await self._faults.read(self._inner.current(now))

    async def revision(self) -> int:
        """Return the number of changes."""
        return await self._faults.read(self._inner.revision())

    async def use(self, use: Use, most: int, repeats_ms: int) -> Counted:
        """Count a use."""
        return await self._faults.write(lambda: self._inner.use(use, most, repeats_ms))

    async def give_back(self, use: Use) -> None:
        """Take a use back."""
        await self._faults.write(lambda: self._inner.give_back(use))


class FailingWaitpoints:
    """`Waitpoints`; making and completing are writes."""

    def __init__(self, inner: Waitpoints, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    async def create(self, waitpoint: Waitpoint, retried: Retried | None = None) -> Issued:
        """Add a waitpoint."""
        return await self._faults.write(lambda: self._inner.create(waitpoint, retried))

    async def load(self, waitpoint: WaitpointId) -> Waitpoint | None:
        """Return the waitpoint."""
        return await self._faults.read(self._inner.load(waitpoint))

    async def complete(self, waitpoint: WaitpointId, output: bytes) -> bool:
        """Write its value."""
        return await self._faults.write(lambda: self._inner.complete(waitpoint, output))

    async def settle(self, waitpoint: WaitpointId, came: Instant) -> Instant:
        """Write down when the record came."""
        return await self._faults.write(lambda: self._inner.settle(waitpoint, came))

    async def find(self, query: WaitpointFilter) -> Sequence[Waitpoint]:
        """List waitpoints."""
        return await self._faults.read(self._inner.find(query))

    async def waiters(self, waitpoint: WaitpointId) -> Sequence[RunId]:
        """List who waits for it."""
        return await self._faults.read(self._inner.waiters(waitpoint))

    async def owed(self, limit: int) -> Sequence[tuple[RunId, WaitpointId]]:
        """List who waits for what has its value."""
        return await self._faults.read(self._inner.owed(limit))
