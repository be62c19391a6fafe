"""Keys in memory: what holds, until when, and what other processes change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint

from headrace.app.system import SystemChance
from headrace.backends.memory import open_memory
from headrace.backends.sqlite import open_sqlite
from headrace.engine import Keeper, Keyring, open_engine
from headrace.kernel.model import EnvId
from headrace.ports import Stores
from headrace.testing.clock import ManualClock
from headrace.wire.keys import KeyOrder, Rotation
from headrace.wire.vault import Vault

DEV, PROD = EnvId("dev"), EnvId("prod")
MASTER = b"a master key of some length"
GIVEN = "tr_dev_given_0123456789"
HOUR_MS = 3_600_000


def ring_of(stores: Stores, master: bytes = MASTER) -> Keyring:
    return Keyring(stores.credentials, Vault(master), stores.clock, {DEV: (GIVEN,)})


def keeper_of(ring: Keyring, stores: Stores, env: EnvId = DEV) -> Keeper:
    return Keeper(ring, stores.clock, SystemChance(), env)


async def test_a_key_opens_its_environment_until_it_ends() -> None:
    clock = ManualClock()
    async with open_memory(clock) as stores:
        ring = ring_of(stores)
        keeper = keeper_of(ring, stores, PROD)
        made = await keeper.create_key(KeyOrder())
        holder = ring.find(made.secret)
        assert holder is not None
        assert (holder.env, holder.permits) == (PROD, None)
        assert ring.of(PROD) == [made.secret]

        other = await keeper.rotate_key(made.key.id, Rotation(grace="1h"))
        assert ring.of(PROD) == [other.secret, made.secret]
        clock.advance(HOUR_MS - 1)
        assert ring.find(made.secret) is not None
        clock.advance(1)
        assert ring.find(made.secret) is None
        assert ring.of(PROD) == [other.secret]

        await keeper.revoke_key(other.key.id)
        assert (ring.find(other.secret), ring.of(PROD)) == (None, [])
        assert ring.of(DEV) == [GIVEN]


async def test_a_restricted_key_opens_and_does_not_sign() -> None:
    async with open_memory(ManualClock()) as stores:
        ring = ring_of(stores)
        made = await keeper_of(ring, stores).create_key(KeyOrder(scopes=["read:runs"]))
        holder = ring.find(made.secret)
        assert holder is not None
        assert holder.permits is not None
        assert holder.permits.grants("read", [("runs", "run_1")])
        assert not holder.permits.grants("write", [("runs", "run_1")])
        assert ring.of(DEV) == [GIVEN]


async def test_the_newest_root_key_is_first_and_the_given_one_before_all() -> None:
    async with open_memory(ManualClock()) as stores:
        ring = ring_of(stores)
        keeper = keeper_of(ring, stores)
        made = [(await keeper.create_key(KeyOrder())).secret for _ in range(3)]
        assert ring.of(DEV) == [GIVEN, *reversed(made)]


async def test_keys_are_there_again_when_the_store_is_opened_again(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "x.db") as stores:
        keeper = keeper_of(ring_of(stores), stores)
        root = (await keeper.create_key(KeyOrder())).secret
        restricted = (await keeper.create_key(KeyOrder(scopes=["admin"]))).secret
    async with open_sqlite(tmp_path / "x.db") as stores:
        ring = ring_of(stores)
        await ring.refresh()
        assert ring.find(root) is not None
        assert ring.find(restricted) is not None
        assert ring.of(DEV) == [GIVEN, root]


async def test_without_the_master_key_root_keys_hold_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_sqlite(tmp_path / "x.db") as stores:
        keeper = keeper_of(ring_of(stores), stores)
        root = (await keeper.create_key(KeyOrder())).secret
        restricted = (await keeper.create_key(KeyOrder(scopes=["admin"]))).secret
        ring = ring_of(stores, b"another master key altogether")
        await ring.refresh()
        assert (ring.find(root), ring.of(DEV)) == (None, [GIVEN])
        assert ring.find(restricted) is not None
    logged = capsys.readouterr().out
    assert "HEADRACE_MASTER_KEY" in logged
    assert root not in logged


async def test_what_another_process_changes_counts_within_a_second(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "x.db") as here, open_sqlite(tmp_path / "x.db") as there:
        ring = ring_of(here)
        keeper = keeper_of(ring_of(there), there)
        async with open_engine(here, SystemChance(), keyring=ring):
            made = await keeper.create_key(KeyOrder())
            await _until(lambda: ring.find(made.secret) is not None)
            await keeper.revoke_key(made.key.id)
            await _until(lambda: ring.find(made.secret) is None)


async def _until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(1):
        while not holds():
            await checkpoint()
