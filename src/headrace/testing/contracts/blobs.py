"""What every `Blobs` promises."""

from __future__ import annotations

import pytest

from headrace.kernel.commands import Complete
from headrace.kernel.machine import decide
from headrace.kernel.model import Completed, Over, RunId, later
from headrace.ports import NEVER, Conflict, Order, Stores
from headrace.testing.contracts.given import BODIES, T0, executing, queued


class BlobsContract:
    """Putting, getting, dropping."""

    async def test_a_value_comes_back_as_it_was(self, stores: Stores) -> None:
        keys = [f"clé/{n}" for n in range(len(BODIES))]
        for key, value in zip(keys, BODIES, strict=True):
            await stores.blobs.put(key, value)
        assert [await stores.blobs.get(key) for key in keys] == list(BODIES)

    async def test_the_same_key_again_replaces_it(self, stores: Stores) -> None:
        await stores.blobs.put("a", b"1")
        await stores.blobs.put("a", b"22")
        assert await stores.blobs.get("a") == b"22"

    async def test_the_first_of_several_stays(self, stores: Stores) -> None:
        assert await stores.blobs.first("a", b"1") == b"1"
        assert await stores.blobs.first("a", b"2") == b"1"
        assert await stores.blobs.get("a") == b"1"
        await stores.blobs.purge(T0, 10)
        assert await stores.blobs.first("a", b"3") == b"1"

    async def test_only_what_is_over_is_purged(self, stores: Stores) -> None:
        for n, until in enumerate((NEVER, T0, T0, later(T0, 1))):
            await stores.blobs.put(f"b-{n}", b"1", until)
        await stores.blobs.put("b-2", b"2", later(T0, 1))
        await stores.blobs.put("b-4", b"1", T0)
        assert [await stores.blobs.purge(T0, 1) for _ in range(3)] == [1, 1, 0]
        left = [await stores.blobs.get(f"b-{n}") for n in range(5)]
        assert left == [b"1", None, b"2", b"1", None]

    async def test_what_was_dropped_is_gone(self, stores: Stores) -> None:
        await stores.blobs.put("a", b"1")
        await stores.blobs.put("b", b"2")
        await stores.blobs.drop("a")
        await stores.blobs.drop("never there")
        assert await stores.blobs.get("a") is None
        assert await stores.blobs.get("b") == b"2"

    async def test_an_output_stays_from_the_end_of_its_run_on(self, stores: Stores) -> None:
        run = await executing(stores)
        for key in ("kept", "not"):
            await stores.blobs.put(key, b"1", later(T0, 1))
        await stores.runs.commit(decide(run, Complete(run.epoch, b"", "kept"), T0))
        loaded = await stores.runs.load(run.id)
        assert loaded is not None
        assert loaded.state == Over(Completed(b"", "kept"), T0)
        assert await stores.blobs.purge(later(T0, 10**12), 9) == 1
        assert [await stores.blobs.get(key) for key in ("kept", "not")] == [b"1", None]

    async def test_a_run_does_not_end_with_an_output_that_is_gone(self, stores: Stores) -> None:
        run = await executing(stores)
        await stores.blobs.put("gone", b"1", T0)
        await stores.blobs.purge(T0, 9)
        with pytest.raises(Conflict):
            await stores.runs.commit(decide(run, Complete(run.epoch, b"", "gone"), T0))
        assert await stores.runs.load(run.id) == run

    @pytest.mark.parametrize(
        ("size", "most", "there"),
        [(9, 8, False), (9, 9, True), (2_000, 1_999, False), (2_000, 2_000, True)],
    )
    async def test_a_payload_is_left_out_where_it_is_too_large(
        self, stores: Stores, size: int, most: int, *, there: bool
    ) -> None:
        whole = Order(payload=b"x" * size, tags=("a",))
        await stores.runs.create(queued(), whole)
        found = await stores.runs.order(RunId("run-1"), most=most)
        assert found == (whole if there else Order(tags=("a",), is_large=True))
        assert await stores.runs.order(RunId("run-1")) == whole
