"""What every `Blobs` promises."""

from __future__ import annotations

from headrace.kernel.model import later
from headrace.ports import NEVER, Stores
from headrace.testing.contracts.given import BODIES, T0


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
