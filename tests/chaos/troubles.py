"""What can befall several servers and what they share: how it is done, and how it is made whole.

Owns: each kind of trouble, for how long it lasts, from when on nobody has an excuse.
Must never know: when it befalls them, or what is right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from headrace.engine.dispatch import LEASE_MS
from tests.chaos.apart import Wire
from tests.chaos.shared import ADDRESSES, Shared
from tests.fleet.processes import Member
from tests.services.postgres import How

LEASE_S: Final = LEASE_MS / 1000
BRIEF: Final = (0.2, 1.5)
LONG: Final = (LEASE_S + 0.7, LEASE_S + 2.5)
"""Longer than a lease: the runs are somebody else's by then."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of trouble for one victim. `strike` is told for how many seconds."""

    kind: str
    who: str
    strike: Callable[[float], None]
    heal: Callable[[], None]
    lasts_s: tuple[float, float] = BRIEF
    takes_over_s: float | None = None
    """After so long the others have taken over, whether or not it is healed."""
    stops_timers: bool = False
    """Whether nobody can end some wait meanwhile: one in memory is its own server's alone."""


class Ships(Protocol):
    """Servers and workers, by name; the n-th server has the n-th of `ADDRESSES`."""

    @property
    def members(self) -> dict[str, Member]:
        """Return the processes that run now."""
        ...

    @property
    def ports(self) -> tuple[int, ...]:
        """Return where the servers listen."""
        ...

    def start(self, name: str) -> None:
        """Start one again that was killed; return when it serves."""
        ...


def troubles(ships: Ships, shared: Shared, wire: Wire) -> list[Trouble]:
    """Return every kind there is, for every victim."""
    found = [*_processes(ships), *_postgres(shared), *_redis(shared), *_cuts(ships, shared, wire)]
    return [*found, *_s2(shared)]


def _nothing() -> None:
    """It heals by itself."""


def _processes(ships: Ships) -> Iterator[Trouble]:
    for name in ships.members:
        kind = name.split()[0]
        is_worker = kind == "worker"

        def kill(_: float, name: str = name) -> None:
            ships.members[name].kill()

        def halt(_: float, name: str = name) -> None:
            ships.members[name].halt()

        def go_on(name: str = name) -> None:
            ships.members[name].go_on()

        over = LEASE_S if is_worker else None
        start = partial(ships.start, name)
        yield Trouble(f"{kind} killed", name, kill, start, (0.0, 1.0), over)
        stops = not is_worker
        yield Trouble(f"{kind} halted", name, halt, go_on, BRIEF, over, stops)
        past = f"{kind} halted past its lease"
        yield Trouble(past, name, halt, go_on, LONG, over, stops)


def _postgres(shared: Shared) -> Iterator[Trouble]:
    server = shared.postgres

    def stop(how: How, _: float) -> None:
        server.stop(how)

    def terminate(_: float) -> None:
        asyncio.run(server.cut())

    hows: tuple[How, ...] = ("fast", "immediate")
    for how in hows:
        kind = f"Postgres restarted, {how}"
        yield Trouble(kind, "postgres", partial(stop, how), server.start, BRIEF, stops_timers=True)
    yield Trouble("Postgres connections terminated", "postgres", terminate, _nothing, (0.0, 0.0))


def _redis(shared: Shared) -> Iterator[Trouble]:
    server = shared.redis

    def ping() -> None:
        server.do("PING")  # answered when the pause is over

    def empty(_: float) -> None:
        server.do("FLUSHALL")

    def stop(_: float) -> None:
        server.stop()

    def pause(lasts_s: float) -> None:
        server.do("CLIENT", "PAUSE", int(lasts_s * 1000), "ALL")

    def fill(_: float) -> None:
        server.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
        server.do("CONFIG", "SET", "maxmemory", 1)

    def make_room() -> None:
        server.do("CONFIG", "SET", "maxmemory", 0)

    yield Trouble("Redis FLUSHALL", "redis", empty, _nothing, (0.0, 0.0))
    yield Trouble("Redis restarted", "redis", stop, server.start)
    yield Trouble("Redis CLIENT PAUSE", "redis", pause, ping, (0.5, 4.0))
    yield Trouble("Redis out of memory", "redis", fill, make_room, (0.5, 3.0))


def _s2(shared: Shared) -> Iterator[Trouble]:
    if (lite := shared.lite) is not None:

        def kill(_: float) -> None:
            lite.kill()

        yield Trouble("S2 killed", "s2", kill, lite.start, stops_timers=True)


def _cuts(ships: Ships, shared: Shared, wire: Wire) -> Iterator[Trouble]:
    """Cut one server off, from one thing, one way."""
    ends = {"Postgres": shared.postgres.port, "Redis": shared.redis.port}
    if shared.lite is not None:
        ends["S2"] = shared.lite.port
    for address, own in zip(ADDRESSES, ships.ports, strict=True):
        places = [(name, address, port) for name, port in ends.items()]
        for name, at, port in [*places, ("a server", "127.0.0.1", own)]:

            def requests(_: float, at: str = at, port: int = port) -> None:
                wire.drop_requests(at, port)

            def answers(_: float, at: str = at, port: int = port) -> None:
                wire.drop_answers(at, port)

            lasts, stops = (0.5, 4.0), name in {"Postgres", "S2"}
            kinds = ((f"requests to {name} lost", requests), (f"answers of {name} lost", answers))
            for kind, cut in kinds:
                yield Trouble(kind, "wire", cut, wire.mend, lasts, stops_timers=stops)
