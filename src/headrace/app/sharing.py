"""What servers on one database have to agree on: master key, root key, where streams are.

Owns: what is noted of them in the database (no key, only what tells one from another), and who is
refused. Must never know: where keys are kept, commands.

Rule: a server that others can reach is given its keys; it makes none. Where one made its own, the
next on the same database that makes another is refused: what one seals and signs is nothing to the
other, and that would come out as a 401 now and then.
"""

from __future__ import annotations

from typing import Final

import structlog

from headrace.app.settings import LOOPBACK, Settings, is_shared
from headrace.backends.s2 import place_of
from headrace.errors import Mistake
from headrace.kernel.model import EnvId
from headrace.ports import Blobs
from headrace.wire.keys import digest_of
from headrace.wire.vault import Vault

MASTER, ROOT = "HEADRACE_MASTER_KEY", "HEADRACE_SECRET_KEY"
SEALING: Final = "agreed/master-key"
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.app")


def missing(setting: Settings) -> tuple[str, ...]:
    """Name the keys that all servers on a shared database need, and this one was not given."""
    if not is_shared(setting.database):
        return ()
    given = ((ROOT, setting.key), (MASTER, setting.master))
    return tuple(name for name, value in given if not value)


def demand_given(setting: Settings) -> None:
    """Refuse a server that others can reach, and that would make a master key of its own."""
    lacking = missing(setting)
    if MASTER in lacking and setting.host not in LOOPBACK:
        raise Mistake(
            f"will not listen on {setting.host or 'every address'} and share a database with keys"
            " that nobody chose",
            hint=f"Set {' and '.join(lacking)}, the same for every server;"
            " `openssl rand -hex 32` makes what nobody can guess.",
        )


async def agree_on_master(blobs: Blobs, vault: Vault) -> None:
    """Refuse another master key than that of the first server on this database."""
    if await blobs.first(SEALING, mark_of(vault)) != mark_of(vault):
        raise Mistake(
            "the keys in this database are sealed with another master key",
            hint=f"Give every server the same {MASTER}; if the one from before is lost,"
            " `headrace keys change-master` lets this one count.",
        )


async def change_master(blobs: Blobs, vault: Vault) -> None:
    """Let this master key count from now on."""
    await blobs.put(SEALING, mark_of(vault))


async def agree_on_root(blobs: Blobs, setting: Settings, env: EnvId, key: str) -> None:
    """Refuse a root key that was made here while another server made another one."""
    # A fast hash will do: who has one public token can try keys as quickly.
    mark, place = digest_of(key), f"agreed/last-key/{env}"
    last = await blobs.get(place)
    if not setting.key and await blobs.first(f"agreed/made-key/{env}", mark) != mark:
        raise Mistake(
            f"another server on this database made another root key of environment {env!r}",
            hint=f"Give every server the same {ROOT}: what `key` in the home folder of the other"
            f" one holds, or tr_{env}_ and what nobody can guess.",
        )
    if last not in {None, mark}:
        _log.warning(
            f"the last server on this database has another {ROOT} of environment {env}: if it still"
            " runs, each refuses what the other's key opens or has signed; give both the same"
        )
    await blobs.put(place, mark)


def streams_of(setting: Settings) -> str:
    """Say where the streams are; by which address they are reached is each server's own affair."""
    if not setting.streams:
        return "the database"
    place = place_of(setting.streams, setting.s2_token)
    return f"basin {place.basin!r}" + (f" below {place.prefix!r}" if place.prefix else "")


async def agree_on_streams(blobs: Blobs, streams: str) -> None:
    """Refuse other streams than those that this database's runs have been sent so far."""
    mark = streams.encode()
    if (known := await blobs.first("agreed/streams", mark)) != mark:
        raise Mistake(
            f"the streams of this database's runs are in {known.decode()}, not in {streams}",
            hint="Give every server on this database the same HEADRACE_STREAMS, always: what runs"
            " were sent stays where it was sent. Other streams need another database.",
        )


def mark_of(vault: Vault) -> bytes:
    """Return what tells one master key from another, and shows none."""
    return vault.proof("the same master key")
