"""How a worker works.

Owns: the defaults. Must never know: where settings come from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psutil

from headrace.ports import Chance
from headrace.sdk.execution_life import KEEP_WARM_S, Snapshots
from headrace.sdk.sealing import Sealer

LEASE_S = 5.0
"""Renewed each second, runs outlive four seconds without a server: to be taken up costs more."""


def resident() -> int:
    """Return how many bytes of memory this process occupies. It reads a file."""
    return psutil.Process().memory_info().rss


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `app` decides for a worker. `worker` is an id that no other worker has.

    For `strict`, `evicts`, `sealer`, `keep_warm_s`, `snapshots` and `drops` see `Manner`.

    `memory_limit` is in bytes. Near it runs that wait leave, those that have waited longest first.
    If that does not help `tired` is called, once, and no new run is taken: whoever
    hears it starts another worker and ends this one. Where nobody does, or when the limit itself
    is near, the worker gives everything back and ends by itself. `rss` says what it uses.

    Runs given back stay suspended in memory with `unwinds=False`: for a process that ends itself
    by `os._exit` right after. Else their code is ended, and its `finally` blocks run, in which
    every durable call raises.
    """

    worker: str
    chance: Chance
    slots: int = 100
    strict: bool = False
    evicts: bool = False
    sealer: Sealer | None = None
    keep_warm_s: float = KEEP_WARM_S
    snapshots: Snapshots = "warm"
    drops: bool = True
    grace_s: float = 10.0
    memory_limit: int | None = None
    rss: Callable[[], int] = resident
    tired: Callable[[], None] | None = None
    unwinds: bool = True
    renew_s: float = LEASE_S / 5
    weigh_s: float = 1.0
