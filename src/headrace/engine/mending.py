"""What is asked about blocked runs: try again, begin again, accept the difference.

Owns: what may be accepted of a journal, and what is said where it may not.
Must never know: code, or how it replays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from headrace.engine.bound import Bound
from headrace.engine.jobs import Job
from headrace.engine.noting import noted
from headrace.engine.sheet import Sheet
from headrace.engine.views import find_run, show
from headrace.errors import BadRequest, Mistake, NotFound
from headrace.kernel.commands import Accept, Restart, Unblock
from headrace.kernel.journal import ACCEPTED, UNORDERED, inserting, skipping
from headrace.kernel.model import Blocked, Entry, Key
from headrace.ports import Runs
from headrace.wire.statuses import status_of
from headrace.wire.views import Acceptance, RunView

MOST: Final = 1_000
"""Differences that are accepted in one go."""
LONGEST: Final = 1_024
"""Characters of a key."""
_KEY: Final = re.compile(r"[^\x00-\x1f]+#[0-9]+(~[0-9]+|/[0-9]+\.?)?")
_SHOWN: Final = "`headrace runs show` names both sides of the difference."


class Mending(Bound):
    """The use cases about blocked runs."""

    async def unblock(self, run_id: str) -> RunView:
        """Have the run replayed once more, as it is."""
        return await self._posted(run_id, _unblock)

    async def restart(self, run_id: str) -> RunView:
        """Have the run begin again from the top."""
        run = await find_run(self._core, self._env, run_id)
        if isinstance(run.state, Blocked):
            # Its code is at the top again: what it says of itself counts anew.
            await noted(self._core, run.id, lambda notes: replace(notes, mark=()))
        return await self._posted(run_id, _restart)

    async def accept(self, run_id: str, acceptance: Acceptance) -> RunView:
        """Have the run replayed with these differences."""
        _check(acceptance)
        return await self._posted(run_id, _Accept(self._core.stores.runs, acceptance))

    async def _posted(self, run_id: str, job: Job) -> RunView:
        run = await find_run(self._core, self._env, run_id)
        await self._core.post(run.id, job)
        return await show(self._core, await find_run(self._core, self._env, run_id))


async def _unblock(sheet: Sheet) -> object:
    _check_blocked(sheet)
    return sheet.apply(Unblock())


async def _restart(sheet: Sheet) -> object:
    _check_blocked(sheet)
    change = sheet.apply(Restart())
    await sheet.unread(exactly=True)  # all that the run had read
    return change


@dataclass(frozen=True, slots=True)
class _Accept:
    """The job of adding to the journal what is accepted."""

    runs: Runs
    acceptance: Acceptance

    async def __call__(self, sheet: Sheet) -> object:
        run = sheet.run
        _check_blocked(sheet)
        if run.base:
            raise Mistake(
                f"the journal of run {run.id} begins at entry {run.base}: what came before has "
                "been dropped, since a snapshot stands for it, and nothing can be replayed without",
                hint="Put back the code that the run was saved with, or restart the run.",
            )
        journal = {entry.n: entry for entry in await self._journal(sheet)}
        known = {entry.key for entry in journal.values()}
        entries = tuple(entry for entry in self._wanted(journal) if entry.key not in known)
        return sheet.apply(Accept(entries))

    async def _journal(self, sheet: Sheet) -> list[Entry]:
        """Return the journal as it is on this sheet."""
        end = sheet.before.entries if sheet.undone is None else sheet.undone
        stored = await self.runs.journal(sheet.run.id)
        return [*(entry for entry in stored if entry.n < end), *sheet.entries]

    def _wanted(self, journal: Mapping[int, Entry]) -> Iterator[Entry]:
        for n in dict.fromkeys(self.acceptance.skip):
            yield skipping(_skippable(journal, n))
        for key in dict.fromkeys(self.acceptance.insert):
            yield inserting(Key(key))


def _skippable(journal: Mapping[int, Entry], n: int) -> Entry:
    entry = journal.get(n)
    if entry is None:
        holds = f"entries 0 to {len(journal) - 1}" if journal else "no entry"
        raise NotFound(f"the journal has no entry {n}; it holds {holds}", hint=_SHOWN)
    if entry.kind in UNORDERED | ACCEPTED:
        raise Mistake(
            f"entry {n} is of the kind {entry.kind}, which no code has to ask for: there is "
            "nothing to skip",
            hint=_SHOWN,
        )
    return entry


def _check_blocked(sheet: Sheet) -> None:
    run = sheet.run
    if not isinstance(run.state, Blocked):
        raise Mistake(
            f"run {run.id} is not blocked: it is {status_of(run.state)}",
            hint="Only a run whose code does not fit its journal is helped by this.",
        )


def _check(acceptance: Acceptance) -> None:
    count = len(acceptance.skip) + len(acceptance.insert)
    if not count:
        raise BadRequest(
            "nothing is accepted: name entries to skip, or keys to insert", hint=_SHOWN
        )
    if count > MOST:
        raise BadRequest(f"{count} differences are accepted at once; the most is {MOST}")
    for key in acceptance.insert:
        if len(key) > LONGEST or not _KEY.fullmatch(key):
            raise BadRequest(f"{key[:80]!r} is no key; one looks like `audit#0`", hint=_SHOWN)
