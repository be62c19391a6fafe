"""The keys of a server on this machine: what seals them, and making one where there is none yet.

Who may read the database and the master key could make any key by himself, so here nobody is asked
for one. Owns: which environment a given key is of, and the way to the database past the server.
Must never know: commands.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from headrace.app.connecting import SystemChance
from headrace.app.home import USUAL, Home
from headrace.app.settings import Settings, database_path
from headrace.backends.sqlite import open_sqlite
from headrace.engine import Keeper, Keyring
from headrace.errors import Mistake
from headrace.kernel.model import EnvId
from headrace.ports import KeysApi
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
    path = database_path(setting.database, home.path)
    name = environment(env)
    if not await anyio.Path(path).exists():
        raise Mistake(
            f"there is no database here: {path}",
            hint="Keys of another environment are made where the server is; start it there first.",
        )
    vault = await anyio.to_thread.run_sync(vault_of, setting, home)
    async with open_sqlite(path) as stores:
        key = setting.key or await anyio.to_thread.run_sync(home.key)
        given = {given_env(key): (key,)} if key else {}
        ring = Keyring(stores.credentials, vault, stores.clock, given)
        await ring.refresh()
        yield Keeper(ring, stores.clock, SystemChance(), name)
