"""What every `Credentials` promises: keys by their hashes, ends that hold, uses counted once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from headrace.kernel.model import EnvId, Instant, later
from headrace.ports import Counted, Credential, Stores, Use
from headrace.testing.contracts.given import ENV, T0

PROD = EnvId("prod")
HOUR_MS = 3_600_000


def root(number: int, env: EnvId = ENV) -> Credential:
    """Return a root key as it is kept."""
    return Credential(
        id=f"key_{number}",
        env=env,
        name=f"nämé {number}",
        hint="tr_dev_…abcd",
        digest=bytes([number]) * 32,
        created=T0,
        sealed=b"\x01sealed\x00",
    )


def restricted(number: int, env: EnvId = ENV) -> Credential:
    """Return a restricted key as it is kept."""
    return replace(root(number, env), sealed=b"", scopes=("read:runs", "trigger:tasks:ü"))


def use(name: int, *, at: Instant = T0, token: int = 1, env: EnvId = ENV) -> Use:
    """Return a use of a token that ends in a day."""
    until = later(at, 24 * HOUR_MS)
    return Use(env, bytes([token]) * 32, bytes([name]) * 16, at, until)


class CredentialsContract:
    """Keys, and uses of tokens."""

    async def test_keys_come_back_as_they_were_newest_first(self, stores: Stores) -> None:
        store, kept = stores.credentials, [root(1), restricted(2), root(3, PROD)]
        assert await store.current(T0) == []
        for one in kept:
            await store.add(one, T0)
        assert await store.current(T0) == kept[::-1]
        assert await store.listing(ENV) == kept[1::-1]
        assert await store.listing(PROD) == kept[2:]
        assert await store.listing(EnvId("none")) == []

    async def test_an_ended_key_is_listed_and_what_was_sealed_is_gone(self, stores: Stores) -> None:
        store = stores.credentials
        await store.add(root(1), T0)
        assert await store.end(ENV, "key_1", T0, T0)
        assert await store.current(T0) == []
        assert await store.listing(ENV) == [replace(root(1), until=T0, sealed=b"")]
        assert not await store.end(ENV, "key_1", later(T0, 1), later(T0, 1))

    async def test_a_key_that_is_replaced_holds_for_its_grace(self, stores: Stores) -> None:
        store, end = stores.credentials, later(T0, HOUR_MS)
        await store.add(root(1), T0)
        assert await store.end(ENV, "key_1", end, T0, new=root(2))
        both = [root(2), replace(root(1), until=end)]
        assert await store.current(T0) == both
        assert await store.current(Instant(end - 1)) == both
        assert await store.current(end) == both[:1]
        await store.add(root(3), end)
        assert [one.sealed for one in await store.listing(ENV)][-1] == b""

    async def test_an_end_is_never_put_off(self, stores: Stores) -> None:
        store = stores.credentials
        await store.add(root(1), T0)
        assert await store.end(ENV, "key_1", later(T0, 1_000), T0)
        assert await store.end(ENV, "key_1", later(T0, 9_000), T0, new=root(2))
        assert (await store.listing(ENV))[-1].until == later(T0, 1_000)
        assert await store.end(ENV, "key_1", later(T0, 10), T0)
        assert (await store.listing(ENV))[-1].until == later(T0, 10)

    async def test_nobody_ends_a_key_of_another_environment(self, stores: Stores) -> None:
        store = stores.credentials
        await store.add(root(1), T0)
        before = await store.revision()
        assert not await store.end(PROD, "key_1", T0, T0, new=root(2, PROD))
        assert not await store.end(ENV, "key_9", T0, T0, new=root(2))
        assert await store.current(T0) == [root(1)]
        assert await store.revision() == before

    async def test_every_change_of_a_key_is_a_higher_revision(self, stores: Stores) -> None:
        store, seen = stores.credentials, [await stores.credentials.revision()]
        await store.add(root(1), T0)
        seen.append(await store.revision())
        await store.add(root(2, PROD), T0)
        seen.append(await store.revision())
        await store.end(ENV, "key_1", later(T0, 5), T0)
        seen.append(await store.revision())
        await store.end(ENV, "key_1", T0, T0)
        seen.append(await store.revision())
        assert seen == sorted(set(seen))
        await store.use(use(1), 1, HOUR_MS)
        assert await store.revision() == seen[-1]

    async def test_a_token_is_used_as_often_as_it_may_be(self, stores: Stores) -> None:
        store = stores.credentials
        counted = [await store.use(use(name), 2, HOUR_MS) for name in (1, 2, 3, 1, 2, 3)]
        new, again, spent = Counted.NEW, Counted.AGAIN, Counted.SPENT
        assert counted == [new, new, spent, again, again, spent]
        for other in (use(3, token=2), use(3, env=PROD)):
            assert await store.use(other, 2, HOUR_MS) is new

    async def test_of_many_at_once_no_more_get_through(self, stores: Stores) -> None:
        uses = [stores.credentials.use(use(name), 5, HOUR_MS) for name in range(40)]
        assert (await asyncio.gather(*uses)).count(Counted.NEW) == 5

    async def test_a_use_that_came_to_nothing_is_given_back(self, stores: Stores) -> None:
        store = stores.credentials
        assert await store.use(use(1), 1, HOUR_MS) is Counted.NEW
        await store.give_back(use(1))
        await store.give_back(use(1))
        assert await store.use(use(2), 1, HOUR_MS) is Counted.NEW
        assert await store.use(use(1), 1, HOUR_MS) is Counted.SPENT

    async def test_but_not_one_that_was_repeated(self, stores: Stores) -> None:
        store = stores.credentials
        await store.use(use(1), 1, HOUR_MS)
        assert await store.use(use(1), 1, HOUR_MS) is Counted.AGAIN
        await store.give_back(use(1))
        assert await store.use(use(2), 1, HOUR_MS) is Counted.SPENT

    async def test_a_repeat_is_one_for_a_while_only(self, stores: Stores) -> None:
        store = stores.credentials
        await store.use(use(1), 5, HOUR_MS)
        late = use(1, at=later(T0, HOUR_MS - 1))
        assert await store.use(late, 5, HOUR_MS) is Counted.AGAIN
        late = use(1, at=later(T0, HOUR_MS))
        assert await store.use(late, 5, HOUR_MS) is Counted.SPENT
