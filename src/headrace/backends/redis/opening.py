"""Opens a Redis and puts its ports together.

Owns: what a Redis has to be like. Must never know: what is told or kept there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Final, cast

import anyio
from redis.exceptions import BusyLoadingError, NoPermissionError

from headrace.backends.beside import beside
from headrace.backends.redis.faults import PRIMARY, SINGLE, TROUBLE, meaning
from headrace.backends.redis.link import ANSWER_S, Link, linked
from headrace.backends.redis.place import Place, place_of
from headrace.backends.redis.waitmap import RedisWaitMap
from headrace.backends.redis.wakeups import RedisWakeups
from headrace.errors import Mistake
from headrace.ports import Clock

OLDEST: Final = (6, 2)
"""The first that ends an entry at an instant (PXAT)."""
PATIENCE_S: Final = 5.0
ATTEMPT_S: Final = 2.0
PAUSE_S: Final = 0.1
TRIES: Final = 5
ASKED: Final = "headrace:doctor"
"""A key that is never there."""


@dataclass(frozen=True, slots=True)
class Opened:
    """One opened Redis, port by port. `cautions`: what could be better, a sentence each."""

    wakeups: RedisWakeups
    waitmap: RedisWaitMap
    link: Link
    place: str
    cautions: tuple[str, ...] = ()


@asynccontextmanager
async def open_redis(
    url: str, *, clock: Clock, name: str, patience_s: float = ANSWER_S
) -> AsyncGenerator[Opened]:
    """Open the Redis (or Valkey) at `url`.

    `clock` is the store's; `name` differs from that of every other process. Who has no answer
    after `patience_s` goes on without one.
    """
    place = place_of(url)
    async with linked(place, patience_s) as link:
        cautions = await _checked(link, place)
        # Channels know no databases: the number keeps two installations apart.
        wakeups = RedisWakeups(link, f"headrace:{place.db}", name)
        async with beside(wakeups.hear, wakeups.tell):
            yield Opened(wakeups, RedisWaitMap(link, clock), link, str(place), cautions)


@dataclass(frozen=True, slots=True)
class Examined:
    """A Redis as it was found."""

    place: str
    server: str
    way_ms: float
    """How long the quickest of a few answers took."""
    cautions: tuple[str, ...]


async def examine_redis(url: str) -> Examined:
    """Look at the Redis, and whether its user may do what is asked of it; keep nothing there."""
    place = place_of(url)
    async with linked(place, ATTEMPT_S) as link:
        cautions = await _checked(link, place)
        ways = list[float]()
        try:
            for _ in range(TRIES):
                began = perf_counter()
                await link.tried("GET", ASKED, patience_s=ATTEMPT_S)
                ways.append((perf_counter() - began) * 1_000)
            await link.tried("EVAL", "return 1", 1, ASKED, patience_s=ATTEMPT_S)
            await link.tried("PUBLISH", f"headrace:{place.db}:doctor", "", patience_s=ATTEMPT_S)
            facts = cast("Mapping[str, object]", await link.tried("INFO", patience_s=ATTEMPT_S))
        except NoPermissionError as error:
            if "info" in str(error).lower():
                return Examined(str(place), "", min(ways), cautions)
            raise meaning(error, place) from error
        except TROUBLE as error:
            raise meaning(error, place) from error
    valkey = facts.get("valkey_version")
    server = f"Valkey {valkey}" if valkey else f"Redis {facts.get('redis_version')}"
    return Examined(str(place), server, min(ways), cautions)


async def _checked(link: Link, place: Place) -> tuple[str, ...]:
    """Refuse what cannot work; return what could be better."""
    end = perf_counter() + PATIENCE_S
    while True:
        try:
            await link.tried("PING", patience_s=ATTEMPT_S)
            told = await link.tried("INFO", patience_s=ATTEMPT_S)
        except BusyLoadingError as error:
            if perf_counter() > end:
                raise meaning(error, place) from error
            await anyio.sleep(PAUSE_S)
        except NoPermissionError:
            return (f"what {place} does with full memory is unknown: its user may not ask INFO",)
        except TROUBLE as error:
            raise meaning(error, place) from error
        else:
            return tuple(_cautions(_facts(told, place), place))


def _facts(told: object, place: Place) -> Mapping[str, object]:
    """Return what it says about itself; refuse what cannot work."""
    facts = cast("Mapping[str, object]", told or {})
    version = str(facts.get("redis_version", ""))
    if not version:
        raise Mistake(f"what answers at {place} is no Redis or Valkey", hint="Check the URL.")
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < OLDEST:
        raise Mistake(f"{place} is Redis {version}", hint="Install 6.2 or newer, or any Valkey.")
    if facts.get("cluster_enabled") == 1:
        raise Mistake(f"{place} is part of a cluster", hint=SINGLE)
    if facts.get("role") == "slave":
        raise Mistake(f"{place} is a replica", hint=PRIMARY)
    return facts


def _cautions(facts: Mapping[str, object], place: Place) -> list[str]:
    policy = str(facts.get("maxmemory_policy", "noeviction"))
    if policy == "noeviction":
        return []
    caution = (
        f"{place} drops entries when its memory is full (maxmemory-policy {policy}): nothing is"
        " lost by it, but sends then look into the database. Set maxmemory-policy noeviction."
    )
    return [caution]
