"""Small Protocols between the parts: storage below the engine, use cases above it.

A port has ten verbs at most. What a backend cannot do is a Protocol that it lacks, never a method
that raises. Must never know: any implementation.
"""

from headrace.ports.api import (
    Api,
    BlockedApi,
    Channel,
    RunsApi,
    StreamsApi,
    WorkApi,
)
from headrace.ports.changes import ChangesApi
from headrace.ports.extending import Extending
from headrace.ports.feeds import FeedApi
from headrace.ports.keys import Counted, Credential, Credentials, Holder, Keys, KeysApi, Use
from headrace.ports.leases import Leases, Unseated
from headrace.ports.notes import Notebook, Notes, Spent, Taken, Ticket
from headrace.ports.outputs import OutputsApi, Target
from headrace.ports.packets import Packet, PacketsApi
from headrace.ports.postponing import Postponed, Postponing
from headrace.ports.revisions import Revision, Revisions, Tagged
from headrace.ports.sighting import Sight, Sighting
from headrace.ports.storage import (
    NEVER,
    Appended,
    Backlog,
    Blobs,
    Catalog,
    Chance,
    Clash,
    Clock,
    Code,
    Conflict,
    Created,
    Debouncing,
    Delivering,
    Draft,
    Filter,
    Order,
    Runs,
    Snapshots,
    Streams,
)
from headrace.ports.stores import Stores
from headrace.ports.tallying import Tallying
from headrace.ports.tokens import TokensApi
from headrace.ports.waitmap import Live, On, WaitMap
from headrace.ports.waitpoints import (
    Issued,
    RecordAt,
    Retried,
    Waitpoint,
    WaitpointFilter,
    Waitpoints,
    WaitpointState,
)
from headrace.ports.wakeups import ANYTHING, Wakeups

__all__ = [
    "ANYTHING",
    "NEVER",
    "Api",
    "Appended",
    "Backlog",
    "Blobs",
    "BlockedApi",
    "Catalog",
    "Chance",
    "ChangesApi",
    "Channel",
    "Clash",
    "Clock",
    "Code",
    "Conflict",
    "Counted",
    "Created",
    "Credential",
    "Credentials",
    "Debouncing",
    "Delivering",
    "Draft",
    "Extending",
    "FeedApi",
    "Filter",
    "Holder",
    "Issued",
    "Keys",
    "KeysApi",
    "Leases",
    "Live",
    "Notebook",
    "Notes",
    "On",
    "Order",
    "OutputsApi",
    "Packet",
    "PacketsApi",
    "Postponed",
    "Postponing",
    "RecordAt",
    "Retried",
    "Revision",
    "Revisions",
    "Runs",
    "RunsApi",
    "Sight",
    "Sighting",
    "Snapshots",
    "Spent",
    "Stores",
    "Streams",
    "StreamsApi",
    "Tagged",
    "Taken",
    "Tallying",
    "Target",
    "Ticket",
    "TokensApi",
    "Unseated",
    "Use",
    "WaitMap",
    "Waitpoint",
    "WaitpointFilter",
    "WaitpointState",
    "Waitpoints",
    "Wakeups",
    "WorkApi",
]
