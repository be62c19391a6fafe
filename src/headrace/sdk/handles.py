"""What the starter of a run holds.

Owns: waiting for the result, also from inside another run, where it is remembered.
Must never know: tasks.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

import msgspec

from headrace.errors import Unavailable
from headrace.sdk import execution
from headrace.sdk._sync import SyncHandle
from headrace.sdk.codecs import Codec
from headrace.sdk.connection import connected
from headrace.sdk.lines import caller_line
from headrace.sdk.views import Run, result_of, run_of
from headrace.wire.views import FINAL, RunView

R = TypeVar("R")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RunView).decode


class Handle(Generic[R]):
    """A run that was triggered. `public_token` lets a browser see it and send to it.

    A run that was triggered inside another run comes without a token.
    """

    id: str
    task_id: str
    public_token: str

    __slots__ = ("_result", "id", "public_token", "task_id")

    def __init__(self, id: str, task_id: str, result: Codec[R], *, public_token: str = "") -> None:
        self.id = id
        self.task_id = task_id
        self.public_token = public_token
        self._result = result

    def __repr__(self) -> str:
        return f"Handle({self.id!r}, {self.task_id!r})"

    def result(self) -> Coroutine[Any, Any, R]:
        """Wait until the run is over; return its result, or raise the verdict on it.

        Inside a task the answer is remembered as a step is.
        """
        return self._settled(caller_line())

    async def cancel(self) -> Run:
        """Ask the run to stop, and return it; one that is over stays as it is."""
        api = await connected()
        return run_of(await api.whole(await api.cancel(self.id)))

    @property
    def sync(self) -> SyncHandle[R]:
        """The same, blocking."""
        return SyncHandle(self)

    async def _settled(self, line: str) -> R:
        run = execution.current()
        if run is None:
            return result_of(await _with_output(await _over(self.id)), self._result)

        async def ask() -> bytes:
            return _encode(await _over(self.id))

        name = f"result of {self.task_id}"
        raw = await run.step(name, ask, fingerprint=self.id, line=line)
        # What is large is not remembered, but asked for again: it is the same for ever.
        return result_of(await _with_output(_decode(raw)), self._result)


async def _over(run_id: str) -> RunView:
    """Return the run once it has ended."""
    api = await connected()
    async for view in api.subscribe(run_id):
        if view.status in FINAL:
            return view
    raise Unavailable(f"the server stopped telling about run {run_id}", hint="Ask again.")


async def _with_output(view: RunView) -> RunView:
    if "output" not in view.large:
        return view
    return await (await connected()).whole(msgspec.structs.replace(view, large=("output",)))
