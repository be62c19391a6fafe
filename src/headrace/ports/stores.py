"""One opened store, port by port."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.ports.keys import Credentials
from headrace.ports.leases import Leases
from headrace.ports.notes import Notebook, Taken
from headrace.ports.postponing import Postponing
from headrace.ports.revisions import Revisions
from headrace.ports.storage import (
    Blobs,
    Catalog,
    Clock,
    Runs,
    Snapshots,
    Streams,
)
from headrace.ports.waitmap import WaitMap
from headrace.ports.waitpoints import Waitpoints
from headrace.ports.wakeups import Wakeups


@dataclass(frozen=True, slots=True)
class Stores:
    """One opened store, port by port.

    `streams` may be `Delivering` as well. Without a `waitmap` the database alone knows where a run
    is.
    """

    runs: Runs
    revisions: Revisions
    notebook: Notebook
    taken: Taken
    postponing: Postponing
    snapshots: Snapshots
    streams: Streams
    waitpoints: Waitpoints
    leases: Leases
    catalog: Catalog
    wakeups: Wakeups
    blobs: Blobs
    credentials: Credentials
    clock: Clock
    waitmap: WaitMap | None = None
