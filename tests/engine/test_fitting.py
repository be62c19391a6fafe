"""How a run goes on with the newest code of its task, as `retrieve` tells; law 11."""

from __future__ import annotations

from typing import Final

import pytest
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from headrace.errors import BadRequest
from headrace.kernel.model import Cause, Footing, Function
from headrace.wire.channel import (
    FOOTING_AT_MOST,
    FUNCTION_NAME_AT_MOST,
    FUNCTIONS_AT_MOST,
    Blocked,
    Ended,
    Refusal,
)
from headrace.wire.registration import Registration
from headrace.wire.views import CodeView, RunQuery
from tests.engine.house import DECLARED, House
from tests.engine.saving import left, remembers, save
from tests.engine.worker import attached

ASK, HELP = Function("jobs:ask", "aa"), Function("beside:help", "bb")
STOOD: Final = Footing("3.13", (ASK, HELP))
HERE: Final = {"jobs:ask": "aa", "jobs:other": "00", "beside:help": "bb"}
OLD: Final = replace(DECLARED, version="1", python="3.13", functions=HERE)


async def told(house: House, run: str) -> CodeView:
    """Return what is said of the run's code."""
    code = (await house.api.retrieve(run)).code
    assert not isinstance(code, UnsetType)
    return code


async def waiting(house: House, footing: Footing | None, *, drops: bool = False) -> str:
    """Return a run that has left after three entries, with a snapshot that stands on this."""
    await house.api.register(OLD)
    run = await house.start()
    async with attached(house) as worker:
        await left(house, await remembers(await worker.job(run), 3), drops=drops, footing=footing)
    return run


def newer(**functions: str) -> Registration:
    """Return new code in which these functions of `jobs` are others; "" is gone."""
    made = {**HERE, **{f"jobs:{name}": text for name, text in functions.items()}}
    kept = {name: text for name, text in made.items() if text}
    return replace(OLD, version="2", functions=kept)


async def test_a_run_on_the_newest_code(house: House) -> None:
    run = await waiting(house, STOOD)
    why = "it started on the newest code"
    assert await told(house, run) == CodeView(fits="same", why=why, version="1", newest="1")


async def test_law_11_a_run_whose_functions_are_the_same_continues(house: House) -> None:
    run = await waiting(house, STOOD)
    await house.api.register(newer(other="11"))
    code = await told(house, run)
    assert (code.fits, code.version, code.newest) == ("continues", "1", "2")
    assert code.why == (
        "the code has changed since it started, but none of the functions that it waits in: "
        "it goes on where it was saved"
    )


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (newer(ask="11"), "ask() in jobs has changed since it was saved"),
        (newer(ask=""), "ask() in jobs is gone since it was saved"),
        (
            replace(newer(), python="3.14"),
            "it was saved by Python 3.13, the newest code runs on 3.14",
        ),
        (
            replace(OLD, functions={**HERE, "beside:help": "22"}),  # the helper's file alone
            "help() in beside has changed since it was saved",
        ),
    ],
)
async def test_law_11_a_run_whose_functions_are_others_is_replayed(
    house: House, code: Registration, why: str
) -> None:
    run = await waiting(house, STOOD)
    await house.api.register(code)
    found = await told(house, run)
    assert found.fits == "replays"
    assert found.why == f"{why}: the newest code replays 3 entries"


async def test_law_11_without_its_journal_it_will_be_blocked(house: House) -> None:
    run = await waiting(house, STOOD, drops=True)
    assert (await told(house, run)).fits == "same"
    await house.api.register(newer(ask="11"))
    found = await told(house, run)
    assert found.fits == "blocked"
    assert found.why == (
        "ask() in jobs has changed since it was saved, and 3 entries of its journal have been "
        "dropped for the snapshot: it goes on when that code is back"
    )
    await house.api.register(OLD)
    assert (await told(house, run)).fits == "same"


async def test_one_that_kept_its_source_goes_on_with_it(house: House) -> None:
    run = await waiting(house, Footing("3.13", (ASK, HELP), keeps=True), drops=True)
    await house.api.register(newer(ask="11"))
    found = await told(house, run)
    assert found.fits == "kept"
    assert found.why == (
        "ask() in jobs has changed since it was saved: it goes on with the source that was saved "
        "with it"
    )
    await house.api.register(replace(newer(), python="3.14"))
    assert (await told(house, run)).fits == "blocked"


async def test_what_nobody_has_said_is_unknown(house: House) -> None:
    elsewhere = Footing("3.13", (Function("lazy:late", "cc"),))
    run = await waiting(house, elsewhere)
    await house.api.register(newer())
    found = await told(house, run)
    assert (found.fits, found.why) == (
        "unknown",
        "the newest worker has not said what late() in lazy is now",
    )
    many = {f"jobs:f{n}": "" for n in range(FUNCTIONS_AT_MOST)}
    run = await waiting(house, STOOD)
    await house.api.register(replace(OLD, version="3", functions=many))
    assert (await told(house, run)).fits == "unknown"


@pytest.mark.parametrize("footing", [None, STOOD])
async def test_workers_that_say_nothing_leave_the_version_alone(
    house: House, footing: Footing | None
) -> None:
    run = await waiting(house, footing)
    if footing is not None:
        await house.api.register(DECLARED)
    assert (await told(house, run)).fits == "same"
    await house.api.register(replace(DECLARED, version="2"))
    found = await told(house, run)
    assert (found.fits, found.newest) == ("unknown", "2")


async def test_a_run_that_is_not_saved_is_replayed(house: House) -> None:
    await house.api.register(OLD)
    run = await house.start()
    async with attached(house) as worker:
        assert (await told(house, run)).fits == "same"
        await remembers(await worker.job(run), 1)
        await house.api.register(newer())
        found = await told(house, run)
        assert found.fits == "replays"
        assert found.why.startswith("it is in the memory of a worker")
        assert found.why.endswith("replays 1 entry")


async def test_a_run_that_has_not_begun_will_on_the_newest(house: House) -> None:
    await house.api.register(OLD)
    run = await house.start()
    found = await told(house, run)
    assert (found.fits, found.version, found.newest) == ("same", UNSET, "1")


async def test_the_code_of_another_task_does_not_matter(house: House) -> None:
    run = await waiting(house, STOOD)
    tasks = tuple(task for task in DECLARED.tasks if task.id != "work")
    await house.api.register(Registration(version="9", tasks=tasks, streams=(), python="3.14"))
    found = await told(house, run)
    assert (found.fits, found.newest) == ("same", "1")


async def test_law_11_a_blocked_run_says_so_and_one_that_is_over_says_nothing(house: House) -> None:
    await house.api.register(OLD)
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.post(Blocked(run, job.epoch, Cause("-step a\n+step b", "Diverged")))
        await job.heard(Ended)
        assert (await told(house, run)).fits == "blocked"
        over = await house.start()
        (await worker.job(over)).complete()
        await house.rest()
        assert (await house.api.retrieve(over)).code is UNSET


async def test_lists_and_subscriptions_do_not_ask(house: House) -> None:
    run = await waiting(house, STOOD)
    page = await house.api.list_runs(RunQuery())
    assert [view.code for view in page.data] == [UNSET]
    async for view in house.api.subscribe(run):
        assert view.code is UNSET
        break


async def test_too_much_is_refused(house: House) -> None:
    much = {f"jobs:f{n}": "" for n in range(FUNCTIONS_AT_MOST + 1)}
    for functions in (much, {"x" * (FUNCTION_NAME_AT_MOST + 1): ""}):
        with pytest.raises(BadRequest, match="function"):
            await house.api.register(replace(OLD, functions=functions))
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        save(job, footing=Footing("3.13", (ASK,) * (FOOTING_AT_MOST + 1)))
        assert (await worker.pushed(Refusal, run)).code == BadRequest.code
        save(job, footing=Footing("3.13", (ASK,) * FOOTING_AT_MOST))
        await house.rest()
        assert (await house.run(run)).saved == 0
