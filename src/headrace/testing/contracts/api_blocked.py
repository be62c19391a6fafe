"""What every `Api` promises about blocked runs: tried again, begun again, accepted."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from headrace.errors import BadRequest, Mistake, NotFound
from headrace.kernel.model import EPOCH, Cause, Entry, Gap, Key, Kind
from headrace.ports import Api
from headrace.testing.contracts.declared import ANSWER, Declared, order
from headrace.testing.contracts.puppet import Puppet, working
from headrace.wire.channel import (
    Assigned,
    Blocked,
    Completed,
    Ended,
    Parked,
    Remembered,
    Saved,
    Standing,
    Told,
)
from headrace.wire.views import Acceptance, RunView

GAP = Gap(1, (Key("audit#0"),))
BOTH = Acceptance(skip=(1,), insert=("audit#0",))


class BlockedApiContract(Declared):
    """What can be done about a run whose code does not fit its journal."""

    async def test_a_blocked_run_shows_what_could_be_accepted(self, known: Api) -> None:
        async with _blocked(known) as (_, run):
            view = await known.retrieve(run)
        assert (view.status, view.acceptable) == ("PENDING_VERSION", BOTH)

    async def test_it_is_tried_again_as_it_is(self, known: Api) -> None:
        async with _blocked(known) as (puppet, run):
            view = await known.unblock(run)
            assert (view.id, view.status) == (run, "EXECUTING")
            again = await puppet.assigned(run)
            assert [entry.key for entry in again.entries] == ["draft#0", "email#0", "peek#0"]
            assert again.attempt == 1

    async def test_it_begins_again_and_reads_its_messages_again(self, known: Api) -> None:
        async with _blocked(known) as (puppet, run):
            await known.restart(run)
            again = await puppet.assigned(run)
            assert (again.entries, again.attempt, again.saved, again.snapshot) == ((), 1, 0, b"")
            assert again.newest == {"approval": (0, ANSWER)}
            puppet.post(_standing(again))
            told = await puppet.pushed(Told, run)
            assert [(e.n, e.seq, e.body) for e in told.entries] == [(0, 0, ANSWER)]

    async def test_what_is_accepted_comes_with_the_journal(self, known: Api) -> None:
        async with _blocked(known) as (puppet, run):
            await known.accept(run, BOTH)
            again = await puppet.assigned(run)
            assert [(entry.n, entry.kind, entry.key) for entry in again.entries[3:]] == [
                (3, "skip", "email#0-"),
                (4, "insert", "audit#0+"),
            ]
            assert again.attempt == 1

    async def test_accepting_the_same_once_more_adds_nothing(self, known: Api) -> None:
        async with _blocked(known) as (puppet, run):
            await known.accept(run, BOTH)
            await _block(puppet, await puppet.assigned(run))
            await known.accept(run, Acceptance(skip=(1, 0), insert=("audit#0",)))
            again = await puppet.assigned(run)
            assert [entry.key for entry in again.entries[3:]] == [
                "email#0-",
                "audit#0+",
                "draft#0-",
            ]

    async def test_it_begins_again_after_something_was_accepted(self, known: Api) -> None:
        async with _blocked(known) as (puppet, run):
            await known.accept(run, BOTH)
            await _block(puppet, await puppet.assigned(run))
            await known.restart(run)
            assert (await puppet.assigned(run)).entries == ()

    async def test_a_run_that_is_not_blocked_is_left_alone(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        for refused in (known.unblock(run), known.restart(run), known.accept(run, BOTH)):
            with pytest.raises(Mistake, match="not blocked: it is QUEUED"):
                await refused
        await known.cancel(run)
        with pytest.raises(Mistake, match="not blocked: it is CANCELED"):
            await known.restart(run)

    async def test_a_run_that_nobody_started_is_no_blocked_one(self, known: Api) -> None:
        for refused in (
            known.unblock("run_nobody"),
            known.restart("run_nobody"),
            known.accept("run_nobody", BOTH),
        ):
            with pytest.raises(NotFound, match="run_nobody"):
                await refused

    @pytest.mark.parametrize(
        ("acceptance", "why"),
        [
            (Acceptance(skip=(5,)), "no entry 5; it holds entries 0 to 2"),
            (Acceptance(skip=(-1,)), "no entry -1"),
            (Acceptance(skip=(2,)), "entry 2 is of the kind peek"),
            (Acceptance(insert=("audit",)), "'audit' is no key"),
            (Acceptance(insert=("",)), "'' is no key"),
            (Acceptance(), "nothing is accepted"),
            (Acceptance(insert=tuple(f"a#{n}" for n in range(1_001))), "the most is 1000"),
        ],
        ids=["beyond", "negative", "a-peek", "no-key", "empty-key", "nothing", "too-many"],
    )
    async def test_what_cannot_be_accepted_changes_nothing(
        self, known: Api, acceptance: Acceptance, why: str
    ) -> None:
        async with _blocked(known) as (_, run):
            before = await known.retrieve(run)
            with pytest.raises((BadRequest, NotFound, Mistake), match=why):
                await known.accept(run, acceptance)
            assert _still(await known.retrieve(run)) == _still(before)

    async def test_nothing_is_accepted_where_entries_were_dropped(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            held = await puppet.assigned(run)
            await _remember(puppet, held, "draft#0")
            puppet.post(_standing(held), Parked(run, held.epoch, 1))
            puppet.post(Saved(run, held.epoch, 1, b"frames", drops=True, leaves=True))
            await puppet.pushed(Ended, run)
            await known.send(run, "approval", ANSWER)
            await _block(puppet, await puppet.assigned(run))
            with pytest.raises(Mistake, match="begins at entry 1"):
                await known.accept(run, BOTH)
            assert not (await known.retrieve(run)).acceptable
            await known.restart(run)
            again = await puppet.assigned(run)
            assert (again.base, again.snapshot, again.entries) == (0, b"", ())
            puppet.post(Completed(run, again.epoch, b""))
            await puppet.pushed(Ended, run)


@asynccontextmanager
async def _blocked(api: Api) -> AsyncGenerator[tuple[Puppet, str]]:
    """Give a run that has taken nothing of one message, and its worker."""
    run = (await api.trigger("publish", order())).id
    await api.send(run, "approval", ANSWER)
    async with working(api, "publish") as puppet:
        held = await puppet.assigned(run)
        await _remember(puppet, held, "draft#0")
        await _remember(puppet, held, "email#0")
        await _remember(puppet, held, "peek#0", "peek")
        await _block(puppet, held)
        yield puppet, run


async def _remember(puppet: Puppet, held: Assigned, key: str, kind: Kind = "step") -> None:
    entry = Entry(0, Key(key), kind, "value", b"1", EPOCH)
    puppet.post(Remembered(held.run, held.epoch, entry))
    await puppet.pushed(Told, held.run)


async def _block(puppet: Puppet, held: Assigned) -> None:
    puppet.post(Blocked(held.run, held.epoch, Cause("--- recorded", "Diverged"), GAP))
    await puppet.pushed(Ended, held.run)


def _standing(held: Assigned) -> Standing:
    return Standing(held.run, held.epoch, "0/approval#0", "approval", held=True)


def _still(view: RunView) -> tuple[object, ...]:
    return view.status, view.updated_at, view.acceptable
