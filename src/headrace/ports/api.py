"""The use cases, as Protocols: the engine implements them, the client does so over HTTP.

An `Api` is bound to one environment. Errors are those of `headrace.errors`, the same from both.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from headrace.errors import Mistake
from headrace.ports.changes import ChangesApi
from headrace.ports.feeds import FeedApi
from headrace.ports.keys import KeysApi
from headrace.ports.outputs import OutputsApi
from headrace.ports.packets import PacketsApi
from headrace.ports.tokens import TokensApi
from headrace.wire.channel import Hello, Operation, Push
from headrace.wire.registration import Registration
from headrace.wire.views import (
    Acceptance,
    Receipt,
    RecordView,
    RunPage,
    RunQuery,
    RunView,
    Triggered,
    TriggerOrder,
)


class RunsApi(Protocol):
    """Start, see and stop runs."""

    async def trigger(self, task: str, order: TriggerOrder, *, request_key: str = "") -> Triggered:
        """Start a run of `task`; `NotFound` if no worker ever declared it."""
        ...

    async def retrieve(self, run_id: str) -> RunView:
        """Return the run, or raise `NotFound`."""
        ...

    async def list_runs(self, query: RunQuery) -> RunPage:
        """List runs, newest first."""
        ...

    async def cancel(self, run_id: str) -> RunView:
        """Ask the run to stop; a final run stays as it is."""
        ...

    def subscribe(self, run_id: str) -> AsyncGenerator[RunView]:
        """Yield the run now and after every change, until it is final."""
        ...


class BlockedApi(Protocol):
    """Let a run go on whose code did not fit its journal; a run that is not blocked is refused.

    None of this burns an attempt. Code that still does not fit blocks the run again.
    """

    async def unblock(self, run_id: str) -> RunView:
        """Have the run replayed once more, as it is."""
        ...

    async def restart(self, run_id: str) -> RunView:
        """Have the run begin again from the top; all that it remembers is forgotten."""
        ...

    async def accept(self, run_id: str, acceptance: Acceptance) -> RunView:
        """Have the run replayed with these differences; they are remembered from then on."""
        ...


class StreamsApi(Protocol):
    """Send to input streams; read any stream."""

    async def send(
        self,
        run_id: str,
        stream: str,
        data: bytes | Mistake,
        *,
        key: str = "",
        request_key: str = "",
    ) -> Receipt:
        """Append `data` (strict JSON text) to an input stream of the run.

        Where the sender's bytes were no such text, `data` is what is wrong with them: it is
        raised after the checks that come first by law 7.

        `key` is the caller's idempotency key, `request_key` that of the client's retries.
        """
        ...

    def tail(
        self, run_id: str, stream: str, *, inward: bool, start: int = 0
    ) -> AsyncGenerator[RecordView]:
        """Yield the records of a stream from number `start` on, waiting for more.

        Below 0, `start` means the present end. It ends once the run is final and all was read.
        """
        ...


class Channel(Protocol):
    """One attached worker."""

    @property
    def pushes(self) -> AsyncIterator[Sequence[Push]]:
        """Batches from the server, in order; ends when the worker is detached."""
        ...

    def post(self, operations: Sequence[Operation]) -> None:
        """Hand operations over, in order; their answers come as pushes."""
        ...


class WorkApi(Protocol):
    """What a worker needs."""

    async def register(self, registration: Registration) -> None:
        """Declare tasks and streams, durably."""
        ...

    async def listing(self) -> Registration | None:
        """Return what all workers of the environment have declared."""
        ...

    def attach(self, hello: Hello) -> AbstractAsyncContextManager[Channel]:
        """Take work. An older attachment of the same worker ends.

        The server pushes what the worker missed: entries from each holding's `next_n` on, and
        runs that it should hold and does not. Operations that were not answered are posted again.
        """
        ...


class Api(
    RunsApi,
    ChangesApi,
    PacketsApi,
    BlockedApi,
    FeedApi,
    StreamsApi,
    OutputsApi,
    TokensApi,
    WorkApi,
    KeysApi,
    Protocol,
):
    """All use cases."""
