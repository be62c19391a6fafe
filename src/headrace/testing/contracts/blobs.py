"""What every `Blobs` promises."""

from __future__ import annotations

from headrace.ports import Stores
from headrace.testing.contracts.given import BODIES


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

    async def test_what_was_dropped_is_gone(self, stores: Stores) -> None:
        await stores.blobs.put("a", b"1")
        await stores.blobs.put("b", b"2")
        await stores.blobs.drop("a")
        await stores.blobs.drop("never there")
        assert await stores.blobs.get("a") is None
        assert await stores.blobs.get("b") == b"2"
