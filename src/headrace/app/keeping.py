"""The keys of a server on this machine: what seals them, and making one where there is none yet.

Who may read the database and the master key could make any key by himself, so here nobody is asked
for one. Owns: which environment a given key is of, and the way to the database past the server.
Must never know: commands.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from headrace.app.home import USUAL, Home, kept_master_key
from headrace.app.settings import Settings, database_path, is_shared
from headrace.app.sharing import agree_on_master, change_master
from headrace.app.storing import database
from headrace.app.system import SystemChance
from headrace.engine import Keeper, Keyring
from headrace.engine.keyring import place_of
from headrace.errors import Mistake
from headrace.kernel.model import EnvId
from headrace.ports import KeysApi, Stores
from headrace.wire.keys import env_of, environment, is_restricted
from headrace.wire.vault import Vault


def given_env(key: str) -> EnvId:
    """Return the environment that the key in the settings, or in the home folder, is of."""
    if is_restricted(key):
        raise Mistake(
            "the server was given a restricted key",
            hint="A server's HEADRACE_SECRET_KEY is a root key: tr_ENV_ and what nobody can guess.",
        )
    return env_of(key, USUAL)


def vault_of(setting: Settings, home: Home) -> Vault:
    """Return what seals the keys in the database."""
    return Vault((setting.master or home.made_master_key()).encode())


@asynccontextmanager
async def keys_here(setting: Settings, home: Home, env: str) -> AsyncGenerator[KeysApi]:
    """Give the keys of any environment of the database here, whether or not it is being served."""
    name = environment(env)
    async with _database_here(setting, home) as (stores, vault):
        if is_shared(setting.database):
            await agree_on_master(stores.blobs, vault)
        key = setting.key or await anyio.to_thread.run_sync(home.key)
        given = {given_env(key): (key,)} if key else {}
        ring = Keyring(stores.credentials, vault, stores.clock, given)
        await ring.refresh()
        yield Keeper(ring, stores.clock, SystemChance(), name)


async def change_master_here(setting: Settings, home: Home) -> int:
    """Let the master key that is set here count; return how many keys it does not open."""
    if not is_shared(setting.database):
        raise Mistake(
            "only servers on a database in Postgres agree on a master key",
            hint="Put the other one in the place of master-key in the home folder.",
        )
    async with _database_here(setting, home) as (stores, vault):
        await change_master(stores.blobs, vault)
        return await unreadable(stores, vault)


async def unreadable(stores: Stores, vault: Vault) -> int:
    """Return how many root keys in the database are sealed with another master key."""
    count = 0
    for one in await stores.credentials.current(stores.clock.now()):
        if one.scopes is None:
            try:
                vault.open(one.sealed, place_of(one.env, one.id))
            except Mistake:
                count += 1
    return count


@asynccontextmanager
async def _database_here(setting: Settings, home: Home) -> AsyncGenerator[tuple[Stores, Vault]]:
    """Open the database, and what seals its keys; neither is made."""
    if is_shared(setting.database):
        if not setting.master and not await anyio.to_thread.run_sync(kept_master_key, home):
            raise Mistake(
                "there is no master key here, which seals the keys in the database",
                hint="Set HEADRACE_MASTER_KEY to that of the servers.",
            )
    else:
        path = database_path(setting.database, home.path)
        if not await anyio.Path(path).exists():
            raise Mistake(
                f"there is no database here: {path}",
                hint="Keys of another environment are made where the server is;"
                " start it there first.",
            )
    vault = await anyio.to_thread.run_sync(vault_of, setting, home)
    async with database(setting, home) as kept:
        yield kept.stores, vault
