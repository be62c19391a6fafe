"""What the sdk keeps of a run's tasks once nobody else does."""

import asyncio
import gc
import weakref

from headrace.sdk.scope import Branch, Crew, Scope, here, spawn


async def _never(seen: list[Scope | None]) -> None:
    seen.append(here())
    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    await waiting


async def test_a_task_that_never_ends_is_forgotten_with_its_run() -> None:
    """A run that was put away leaves such tasks; kept, they would fill the worker's memory."""

    async def begun() -> weakref.ref[Branch]:
        crew, seen = Crew(lambda: None), list[Scope | None]()
        scope = Scope(crew)
        branch = spawn(_never(seen), scope)
        await asyncio.sleep(0)
        assert seen == [scope]
        vars(asyncio.Task)["_log_destroy_pending"].__set__(branch, False)  # it is meant here
        return weakref.ref(branch)

    branch = await begun()
    gc.collect()
    assert branch() is None
