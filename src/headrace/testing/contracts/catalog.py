"""What every `Catalog` promises: the latest declaration of a name counts, whoever made it."""

from __future__ import annotations

from msgspec.structs import replace

from headrace.kernel.model import EnvId, Retry, TaskId, later
from headrace.ports import Code, Stores
from headrace.testing.contracts.given import ENV, T0
from headrace.wire.registration import Registration, StreamSpec, TaskSpec

FULL = Registration(
    version="v1",
    tasks=(
        TaskSpec(
            id="greet",
            schema=b'{"type": "string"}',
            retry=Retry(5, 10, 1.5, 99, jitter=False),
            ttl_ms=600_000,
            max_duration_ms=1,
        ),
        TaskSpec(id="tâche"),
    ),
    streams=(
        StreamSpec(name="approval", inward=True, schema=b"{}", trusted=True),
        StreamSpec(name="tokens", inward=False),
    ),
)
MADE = replace(FULL, python="3.13", functions={"tasks:greet": "a1b2", "tâches:Ä.b": ""})


class CatalogContract:
    """Registering and looking up."""

    async def test_what_was_declared_comes_back_as_it_was(self, stores: Stores) -> None:
        await stores.catalog.register(ENV, FULL, T0)
        for task in FULL.tasks:
            assert await stores.catalog.task(ENV, TaskId(task.id)) == task
        for stream in FULL.streams:
            assert await stores.catalog.stream(ENV, stream.name) == stream
        assert await stores.catalog.listing(ENV) == FULL

    async def test_nothing_is_known_of_another_environment(self, stores: Stores) -> None:
        await stores.catalog.register(ENV, FULL, T0)
        prod = EnvId("prod")
        assert await stores.catalog.task(prod, TaskId("greet")) is None
        assert await stores.catalog.stream(prod, "approval") is None
        assert await stores.catalog.listing(prod) is None

    async def test_tasks_and_streams_are_not_mixed_up(self, stores: Stores) -> None:
        await stores.catalog.register(ENV, FULL, T0)
        assert await stores.catalog.task(ENV, TaskId("approval")) is None
        assert await stores.catalog.stream(ENV, "greet") is None

    async def test_the_latest_declaration_counts(self, stores: Stores) -> None:
        await stores.catalog.register(ENV, FULL, T0)
        new = TaskSpec(id="greet", schema=b"{}")
        second = Registration(version="v2", tasks=(new,), streams=())
        await stores.catalog.register(ENV, second, later(T0, 1))
        assert await stores.catalog.task(ENV, TaskId("greet")) == new
        assert await stores.catalog.task(ENV, TaskId("tâche")) == FULL.tasks[1]
        listing = await stores.catalog.listing(ENV)
        assert listing == Registration(
            version="v2", tasks=(new, FULL.tasks[1]), streams=FULL.streams
        )

    async def test_an_older_version_that_registers_again_is_the_latest(
        self, stores: Stores
    ) -> None:
        await stores.catalog.register(ENV, FULL, T0)
        second = Registration(version="v2", tasks=(TaskSpec(id="greet"),), streams=())
        await stores.catalog.register(ENV, second, later(T0, 1))
        await stores.catalog.register(ENV, FULL, later(T0, 2))
        assert await stores.catalog.listing(ENV) == FULL

    async def test_what_a_version_is_made_of_is_known_by_its_tasks(self, stores: Stores) -> None:
        await stores.catalog.register(ENV, MADE, T0)
        code = Code("v1", "3.13", MADE.functions)
        assert await stores.catalog.listing(ENV) == FULL
        for name in ("greet", "tâche"):
            assert await stores.catalog.code(ENV, TaskId(name)) == code
        assert await stores.catalog.code(ENV, TaskId("approval")) is None
        assert await stores.catalog.code(EnvId("prod"), TaskId("greet")) is None

    async def test_it_is_that_of_the_version_that_declared_the_task_last(
        self, stores: Stores
    ) -> None:
        await stores.catalog.register(ENV, MADE, T0)
        greet = (TaskSpec(id="greet"),)
        second = Registration(version="v2", tasks=greet, streams=FULL.streams, python="3.14")
        await stores.catalog.register(ENV, second, later(T0, 1))
        assert await stores.catalog.code(ENV, TaskId("greet")) == Code("v2", "3.14")
        found = await stores.catalog.code(ENV, TaskId("tâche"))
        assert found == Code("v1", "3.13", MADE.functions)
        again = replace(MADE, functions={"tasks:greet": "ff"})
        await stores.catalog.register(ENV, again, later(T0, 2))
        for name in ("greet", "tâche"):
            found = await stores.catalog.code(ENV, TaskId(name))
            assert found == Code("v1", "3.13", {"tasks:greet": "ff"})

    async def test_a_version_without_tasks_is_a_registration(self, stores: Stores) -> None:
        empty = Registration(version="v0", tasks=(), streams=())
        await stores.catalog.register(ENV, empty, T0)
        assert await stores.catalog.listing(ENV) == empty
