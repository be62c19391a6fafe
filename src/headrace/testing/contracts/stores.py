"""Every storage port's contract: a class each, to inherit.

    class TestRuns(RunsContract): ...

Each asks for the fixture `stores` (an empty, open `Stores`), `SharedContract` also for `twin`, a
second opener of the same store; `WaitMapContract` for `waitmap` and `clock`. Async tests need a
plugin, such as anyio's.
"""

from headrace.testing.contracts.blobs import BlobsContract
from headrace.testing.contracts.catalog import CatalogContract
from headrace.testing.contracts.claiming import ClaimingContract
from headrace.testing.contracts.creating import CreatingContract
from headrace.testing.contracts.credentials import CredentialsContract
from headrace.testing.contracts.delivering import DeliveringContract
from headrace.testing.contracts.finding import FindingContract
from headrace.testing.contracts.leases import LeasesContract
from headrace.testing.contracts.mending import MendingContract
from headrace.testing.contracts.notes import NotebookContract, TakenContract
from headrace.testing.contracts.postponing import PostponingContract
from headrace.testing.contracts.revisions import RevisionsContract
from headrace.testing.contracts.runs import RunsContract
from headrace.testing.contracts.shared import SharedContract
from headrace.testing.contracts.sighting import SightingContract
from headrace.testing.contracts.snapshots import SnapshotsContract
from headrace.testing.contracts.streams import StreamsContract
from headrace.testing.contracts.tallying import TallyingContract
from headrace.testing.contracts.waitmap import WaitMapContract
from headrace.testing.contracts.waitpoints import WaitpointsContract
from headrace.testing.contracts.wakeups import WakeupsContract

__all__ = [
    "BlobsContract",
    "CatalogContract",
    "ClaimingContract",
    "CreatingContract",
    "CredentialsContract",
    "DeliveringContract",
    "FindingContract",
    "LeasesContract",
    "MendingContract",
    "NotebookContract",
    "PostponingContract",
    "RevisionsContract",
    "RunsContract",
    "SharedContract",
    "SightingContract",
    "SnapshotsContract",
    "StreamsContract",
    "TakenContract",
    "TallyingContract",
    "WaitMapContract",
    "WaitpointsContract",
    "WakeupsContract",
]
