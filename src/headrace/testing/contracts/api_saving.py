"""What every `Api` promises to a worker that saves the state of a run's code."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from headrace.kernel.model import Footing, Function
from headrace.ports import Api
from headrace.testing.contracts.declared import ANSWER, NUMBERS, Declared, order
from headrace.testing.contracts.puppet import Puppet, working
from headrace.wire.channel import Assigned, Completed, Ended, Parked, Saved, Standing, Told, Unfit
from headrace.wire.registration import Registration, TaskSpec
from headrace.wire.views import RunQuery

LARGE = 17 * 1_048_576
"""More than what WebSockets carry unless they are told to."""


class SavingApiContract(Declared):
    """Saving, leaving, going on."""

    async def test_a_worker_leaves_and_another_goes_on(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            await _left(puppet, [run], b"frames")
            assert (await known.retrieve(run)).status == "WAITING"
        async with working(known, "publish", worker="worker_2") as puppet:
            assert (await known.send(run, "approval", ANSWER)).resumed
            assigned = await puppet.assigned(run)
            assert (assigned.snapshot, assigned.saved, assigned.base) == (b"frames", 0, 0)
            assert assigned.code == "1"
            assert [(entry.n, entry.body) for entry in assigned.entries] == [(0, ANSWER)]
            puppet.post(Completed(run, assigned.epoch, b""))
            await puppet.pushed(Ended, run)

    async def test_it_is_told_how_a_run_goes_on_with_newer_code(self, known: Api) -> None:
        made = Registration(
            version="1",
            tasks=(TaskSpec(id="publish", schema=NUMBERS),),
            streams=(),
            python="3.13",
            functions={"tasks:publish": "aa", "tasks:Ä.<locals>.b": "bb"},
        )
        await known.register(made)
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            functions = tuple(Function(*one) for one in made.functions.items())
            await _left(puppet, [run], b"frames", Footing("3.13", functions))
        newer = replace(made, version="2", functions={**made.functions, "tasks:publish": "ab"})
        for declared, fits in ((made, "same"), (newer, "replays")):
            await known.register(declared)
            code = (await known.retrieve(run)).code
            assert code
            assert (code.fits, code.version, code.newest) == (fits, "1", declared.version)
            assert code.why
        listed = await known.listing()
        assert listed is not None
        assert (listed.version, listed.functions) == ("2", {})
        page = await known.list_runs(RunQuery())
        assert [view.code for view in page.data] == [UNSET]
        async with aclosing(known.subscribe(run)) as views:
            assert (await anext(views)).code is UNSET

    @pytest.mark.timeout(60)
    async def test_large_snapshots_go_to_and_fro(self, known: Api) -> None:
        runs = [(await known.trigger("publish", order())).id for _ in range(3)]
        body = bytes(range(256)) * (LARGE // 256)
        async with working(known, "publish") as puppet:
            await _left(puppet, runs, body)
        for run in runs:
            await known.send(run, "approval", ANSWER)
        async with working(known, "publish", worker="worker_2") as puppet:
            for run in runs:
                assert (await puppet.assigned(run)).snapshot == body

    async def test_who_cannot_use_it_gets_the_journal(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            await _left(puppet, [run], b"frames")
            await known.send(run, "approval", ANSWER)
            assigned = await puppet.assigned(run)
            puppet.post(Unfit(run, assigned.epoch))
            again = await puppet.assigned(run)
            assert (again.epoch, again.snapshot) == (assigned.epoch, b"")
            assert [entry.body for entry in again.entries] == [ANSWER]

    async def test_news_that_come_first_are_told_instead(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        async with working(known, "publish") as puppet:
            assigned = await puppet.assigned(run)
            puppet.post(_standing(assigned), Parked(run, assigned.epoch))
            await known.send(run, "approval", ANSWER)
            puppet.post(Saved(run, assigned.epoch, 0, b"frames", leaves=True))
            assert (await puppet.pushed(Told, run)).entries[0].body == ANSWER
            puppet.post(Completed(run, assigned.epoch, b""))
            await puppet.pushed(Ended, run)
        assert (await known.retrieve(run)).status == "COMPLETED"


def _standing(assigned: Assigned) -> Standing:
    return Standing(assigned.run, assigned.epoch, "0/approval#0", "approval", held=True)


async def _left(
    puppet: Puppet, runs: Sequence[str], body: bytes, footing: Footing | None = None
) -> None:
    """Let each of the runs wait, then save and leave all of them at once."""
    held = [await puppet.assigned(run) for run in runs]
    for one in held:
        puppet.post(_standing(one), Parked(one.run, one.epoch))
    puppet.post(*[Saved(one.run, one.epoch, 0, body, leaves=True, footing=footing) for one in held])
    for run in runs:
        await puppet.pushed(Ended, run)
