"""Output streams: data out of a run.

Owns: the verbs of a stream that the run appends to and others read.
Must never know: where records live.
"""

from __future__ import annotations

from collections import deque
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
)
from typing import Any, Generic, TypeVar, overload

from typing_extensions import TypeForm

from headrace.kernel.model import outward
from headrace.sdk import execution
from headrace.sdk._sync import SyncOutputStream
from headrace.sdk.codecs import Codec, codec_for
from headrace.sdk.connection import connected
from headrace.sdk.inputs import AnyRun, run_id_of
from headrace.sdk.lines import caller_line
from headrace.sdk.registry import (
    Stream,
    checked_name,
    declared_here,
    declared_stream,
    registry,
)
from headrace.wire.registration import StreamSpec

T = TypeVar("T")


_UNDER_WAY = 64
"""Records that `pipe` appends before the first of them is durable."""


class OutputStream(Generic[T]):
    """A stream of T that a run appends to and others read."""

    id: str

    @overload
    def __init__(self: OutputStream[Any], id: str) -> None: ...
    @overload
    def __init__(self, id: str, schema: TypeForm[T]) -> None: ...
    def __init__(self, id: str, schema: Any = Any) -> None:
        self.id = checked_name("stream", id)
        self.codec: Codec[T] = codec_for(schema)
        registry.add_stream(self, declared_here())

    def __repr__(self) -> str:
        return f"OutputStream({self.id!r}, {self.codec.name})"

    def append(self, value: T) -> Coroutine[Any, Any, None]:
        """Append a value; a replay does not append it again."""
        run = execution.require(f"{self.id}.append")
        return run.emit(outward(self.id), self.codec.encode(value, self.id), line=caller_line())

    async def pipe(self, values: AsyncIterable[T] | Iterable[T]) -> None:
        """Append everything that `values` yields, as it comes."""
        outlet = execution.require(f"{self.id}.pipe").outlet(outward(self.id))
        under_way: deque[Awaitable[None]] = deque()
        async for value in _each(values):
            under_way.append(outlet.put(self.codec.encode(value, self.id)))
            if len(under_way) > _UNDER_WAY:
                await under_way.popleft()
        for durable in under_way:
            await durable

    async def read(self, run: AnyRun, *, start: int = 0) -> AsyncIterator[T]:
        """Yield what the run has appended, from number `start` on, until the run is over."""
        api = await connected()
        async for record in api.tail(run_id_of(run), self.id, inward=False, start=start):
            yield self.codec.decode(bytes(record.data), self.id)

    def __reduce__(self) -> tuple[Callable[[str], Stream], tuple[str]]:
        return declared_stream, (self.id,)

    @property
    def sync(self) -> SyncOutputStream[T]:
        """The same, blocking."""
        return SyncOutputStream(self)

    @property
    def spec(self) -> StreamSpec:
        """What the server must know of the stream."""
        return StreamSpec(name=self.id, inward=False, schema=self.codec.schema)


async def _each(values: AsyncIterable[T] | Iterable[T]) -> AsyncIterator[T]:
    if isinstance(values, AsyncIterable):
        async for value in values:
            yield value
    else:
        for value in values:
            yield value
