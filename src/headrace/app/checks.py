"""Whether what a server is told to use is there, and as it should be.

Owns: what is good, odd and wrong about a database, a Redis, a basin, and keys that servers share.
Must never know: how anything is shown; it changes nothing, anywhere.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import anyio
from msgspec import Struct

from headrace.app.home import Home, kept_master_key
from headrace.app.settings import Settings, is_shared
from headrace.app.sharing import SEALING, mark_of, missing
from headrace.app.skew import apart, late
from headrace.app.system import wall_now
from headrace.backends.s2 import examine_s2
from headrace.errors import HeadraceError
from headrace.kernel.model import Instant

if TYPE_CHECKING:
    from headrace.backends.postgres import Examined

Verdict: TypeAlias = Literal["ok", "odd", "wrong"]
SLOW_MS: Final = 50.0
"""Redis is asked instead of the database, and S2 with every message: so long is no help."""


class Check(Struct, frozen=True):
    """One thing that was looked at, and what to do if it is not as it should be."""

    name: str
    verdict: Verdict
    text: str
    fix: str = ""


async def services(setting: Settings, home: Home) -> AsyncGenerator[Check]:
    """Check what the settings name beside this machine: nothing where they name nothing."""
    if is_shared(setting.database):
        async for check in _database(setting, home):
            yield check
    if setting.redis:
        yield await _redis(setting)
    if setting.streams:
        yield await _streams(setting)


async def _database(setting: Settings, home: Home) -> AsyncGenerator[Check]:
    try:
        from headrace.backends.postgres import examine_postgres, shown  # noqa: PLC0415 - see storing

        found = await examine_postgres(setting.database, wall_now, SEALING)
    except HeadraceError as error:
        yield Check("database", "wrong", error.message, error.hint)
        return
    yield _reached(shown(setting.database), found)
    yield _schema(found, migrates=setting.migrates)
    yield _durable(found)
    yield _hearing(found, has_redis=bool(setting.redis))
    yield _clock(found)
    for check in await anyio.to_thread.run_sync(lambda: tuple(_keys(setting, home, found))):
        yield check


def _reached(place: str, found: Examined) -> Check:
    text = f"{place}, {found.server}, {found.way_ms:.1f} ms away"
    if found.is_standby:
        return Check("database", "wrong", f"{place} is a standby", "Name the primary.")
    if found.room is not None and found.room < found.wanted:
        text += f", {found.room} connections free, and a server opens up to {found.wanted}"
        fix = "Raise its max_connections, or give the URL ?connections=5."
        return Check("database", "odd", text, fix)
    if said := late(found.way_ms):
        why, _, fix = said.partition(": ")[2].partition("; ")
        return Check("database", "wrong", f"{text}: {why}", f"{fix[:1].upper()}{fix[1:]}.")
    return Check("database", "ok", text)


def _schema(found: Examined, *, migrates: bool) -> Check:
    if found.schema > found.needed:
        text = f"{found.schema}, newer than the {found.needed} known here, which goes on with it"
        return Check("schema", "ok", text)
    if found.schema == found.needed:
        return Check("schema", "ok", f"{found.schema}, as this headrace needs it")
    text = f"{found.schema or 'none yet'}, and this headrace needs {found.needed}"
    if not found.may_migrate:
        fix = "Run `headrace db migrate` as a user who owns the schema, or may make it."
        return Check("schema", "wrong", f"{text}, which this user may not make", fix)
    if migrates:
        fix = "`headrace serve` sees to it when it starts, or `headrace db migrate` now."
        return Check("schema", "odd", text, fix)
    return Check("schema", "wrong", text, "Run `headrace db migrate`.")


def _durable(found: Examined) -> Check:
    if not found.loses:
        return Check("durable", "ok", "what it acknowledges is on disk")
    fix = f"Set {' and '.join(name.partition(' ')[0] + ' = on' for name in found.loses)}."
    text = f"a power cut takes what was acknowledged: {', '.join(found.loses)}"
    return Check("durable", "wrong", text, fix)


def _hearing(found: Examined, *, has_redis: bool) -> Check:
    if found.hears and not found.pooler:
        return Check("hints", "ok", "servers hear each other by LISTEN")
    why = "a transaction pooler is between" if found.pooler else "NOTIFY does not arrive"
    if has_redis:
        return Check("hints", "ok", f"{why}; servers hear each other by Redis")
    text = f"{why}: servers hear of each other's work up to 0.8 s late"
    fix = "Name the database itself, or give the servers a Redis: HEADRACE_REDIS."
    return Check("hints", "odd", text, fix)


def _clock(found: Examined) -> Check:
    if said := apart(Instant(round(found.ahead_ms)), Instant(0)):
        text, _, fix = said.rpartition("; ")
        return Check("clock", "odd", text, f"{fix[:1].upper()}{fix[1:]}.")
    ahead = "ahead of" if found.ahead_ms > 0 else "behind"
    return Check("clock", "ok", f"{abs(found.ahead_ms):.0f} ms {ahead} the database's")


def _keys(setting: Settings, home: Home, found: Examined) -> Iterator[Check]:
    if lacking := missing(setting):
        text = f"{' and '.join(lacking)} not set: a server makes its own"
        fix = "All servers on this database need the same: `openssl rand -hex 32` makes one."
        yield Check("keys", "odd", text, fix)
    if not setting.master and not kept_master_key(home):
        return
    from headrace.app.keeping import vault_of  # noqa: PLC0415 - too much to load for `send`

    if found.mark not in {None, mark_of(vault_of(setting, home))}:
        text = "the keys in this database are sealed with another master key"
        yield Check("keys", "wrong", text, "Set HEADRACE_MASTER_KEY to that of the servers.")
    elif not lacking:
        yield Check("keys", "ok", "given, and the master key is that of the database")


async def _redis(setting: Settings) -> Check:
    try:
        from headrace.backends.redis import examine_redis  # noqa: PLC0415 - see storing

        found = await examine_redis(setting.redis)
    except HeadraceError as error:
        return Check("redis", "wrong", error.message, error.hint)
    text = f"{found.place}, {found.server or 'of unknown version'}, {found.way_ms:.1f} ms away"
    if found.cautions:
        said, _, fix = found.cautions[0].partition(". ")
        return Check("redis", "odd", said, fix)
    if found.way_ms > SLOW_MS:
        return Check("redis", "odd", text, "It saves nothing so far away; run it near the servers.")
    return Check("redis", "ok", text)


async def _streams(setting: Settings) -> Check:
    try:
        found = await examine_s2(setting.streams, setting.s2_token)
    except HeadraceError as error:
        return Check("streams", "wrong", error.message, error.hint)
    text = f"{found.place}, {found.way_ms:.1f} ms away"
    match found.keeps:
        case "for good" if found.way_ms > SLOW_MS:
            return Check(
                "streams", "odd", text, "Every message waits so long; choose a nearer one."
            )
        case "for good":
            return Check("streams", "ok", f"{text}, kept for good")
        case "not for good":
            fix = "`headrace serve` tells it to keep them when it starts."
            return Check("streams", "odd", f"{text}, forgets new streams after a while", fix)
        case "no basin":
            fix = "`headrace serve` makes it when it starts, if the token may."
            return Check("streams", "odd", f"there is no {found.place} yet", fix)
        case "unknown":
            fix = "See to it that it creates streams on append and keeps them for ever."
            return Check("streams", "odd", f"{text}; the token may not look how it keeps", fix)
