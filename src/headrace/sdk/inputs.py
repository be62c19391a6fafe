"""Input streams: data into a run.

Owns: the verbs of a stream that others send to and the run reads.
Must never know: where records live.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import datetime
from types import TracebackType
from typing import Any, Generic, Literal, Protocol, Self, TypeAlias, TypeVar, overload

import msgspec
import structlog
from typing_extensions import TypeForm

from headrace.errors import BadValue, WaitTimeout
from headrace.kernel.model import inward
from headrace.sdk import execution
from headrace.sdk._sync import SyncInputStream, SyncInputStreamOf, SyncSubscription
from headrace.sdk.answers import Answer, Ok, Pending, TimedOut
from headrace.sdk.codecs import Codec, codec_for
from headrace.sdk.connection import connected
from headrace.sdk.deadlines import Deadline, Duration, deadline
from headrace.sdk.execution_question import Place
from headrace.sdk.lines import caller_line
from headrace.sdk.registry import (
    Stream,
    checked_name,
    declared_here,
    declared_stream,
    registry,
)
from headrace.wire.durations import duration_ms
from headrace.wire.registration import StreamSpec
from headrace.wire.views import Receipt

T = TypeVar("T")


class HasId(Protocol):
    """A handle, a run as it was retrieved, the current run."""

    @property
    def id(self) -> str:
        """The run's id."""
        ...


AnyRun: TypeAlias = str | HasId
Handler: TypeAlias = Callable[[T], Awaitable[object] | object]
OnInvalid: TypeAlias = Literal["wait", "raise"]
OnError: TypeAlias = Literal["fail", "ignore"]
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.run")


def run_id_of(run: AnyRun) -> str:
    """Return the id of what stands for a run."""
    return run if isinstance(run, str) else run.id


class Subscription:
    """A handler that hears a stream; leaving its `with` block, or `off`, ends that."""

    __slots__ = ("_listener",)

    def __init__(self, listener: execution.Listener | None) -> None:
        self._listener = listener

    def __reduce__(self) -> tuple[type[Subscription], tuple[None]]:
        if self._listener is not None and not self._listener.is_over:
            raise TypeError("a live `on` cannot be saved; switch it off first (`.off()`)")
        return Subscription, (None,)

    def off(self) -> None:
        """Hear no more. A handler that is running goes on to its end."""
        if self._listener is not None:
            self._listener.off()

    @property
    def sync(self) -> SyncSubscription:
        """The same, for plain code."""
        return SyncSubscription(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.off()


class InputStream(Generic[T]):
    """A stream of T that others send to and the run reads: declared once, used on both sides.

    With `on_invalid="raise"` a value that fits the schema but not the type is raised where it is
    read; by default it is noted on the run and passed over. A `trusted` stream takes only secret
    keys and tokens that name it, and shows to no others what was sent.
    """

    id: str

    @overload
    def __init__(
        self: InputStream[Any], id: str, *, on_invalid: OnInvalid = ..., trusted: bool = ...
    ) -> None: ...
    @overload
    def __init__(
        self,
        id: str,
        schema: TypeForm[T],
        *,
        on_invalid: OnInvalid = ...,
        trusted: bool = ...,
    ) -> None: ...
    def __init__(
        self,
        id: str,
        schema: Any = Any,
        *,
        on_invalid: OnInvalid = "wait",
        trusted: bool = False,
    ) -> None:
        self.id = checked_name("stream", id)
        self.codec: Codec[T] = codec_for(schema)
        self._on_invalid: OnInvalid = on_invalid
        self._trusted = trusted
        registry.add_stream(self, declared_here())

    def __repr__(self) -> str:
        return f"InputStream({self.id!r}, {self.codec.name})"

    def wait(
        self,
        *,
        timeout: Duration | None = None,
        until: datetime | None = None,
        keep_warm: Duration | None = None,
    ) -> Pending[T]:
        """Wait for the next value; the run's memory is given back after `keep_warm`."""
        warm_ms = None if keep_warm is None else duration_ms(keep_warm)
        return self._next(deadline(timeout, until), parks=True, keep_warm_ms=warm_ms)

    def once(self, *, timeout: Duration | None = None, until: datetime | None = None) -> Pending[T]:
        """Return the next value; the run stays in its process."""
        return self._next(deadline(timeout, until), parks=False)

    def on(self, handler: Handler[T], *, on_error: OnError = "fail") -> Subscription:
        """Have `handler`, async or plain, called with every value from here on, one at a time.

        What it raises fails the run, unless `on_error="ignore"` has it logged only.
        """
        run = execution.require(f"{self.id}.on")
        call, line = self._called(handler), caller_line()
        return Subscription(run.listen(inward(self.id), call, line=line, on_error=on_error))

    def peek(self) -> T | None:
        """Return the newest value that nobody has taken, if there is one; never wait."""
        run = execution.require(f"{self.id}.peek")
        raw = run.peek(inward(self.id), line=caller_line())
        if raw is None:
            return None
        try:
            return self.codec.decode(raw, self.id)
        except BadValue:
            if self._on_invalid == "raise":
                raise
            return None

    def __aiter__(self) -> AsyncIterator[T]:
        return _Loop(self)

    def of(self, run: AnyRun) -> InputStreamOf[T]:
        """Return this stream of one run, to send to it or read all of it."""
        return InputStreamOf(self, run_id_of(run))

    def send(
        self, run: AnyRun, value: T, *, idempotency_key: str = ""
    ) -> Coroutine[Any, Any, Receipt]:
        """Send a value to a run; done when it is on disk. Inside a task this is remembered.

        The same `idempotency_key` again gives the same receipt.
        """
        raw = self.codec.encode(value, self.id)
        return self._send(run_id_of(run), raw, idempotency_key, caller_line())

    def __reduce__(self) -> tuple[Callable[[str], Stream], tuple[str]]:
        return declared_stream, (self.id,)

    @property
    def sync(self) -> SyncInputStream[T]:
        """The same, blocking."""
        return SyncInputStream(self)

    @property
    def spec(self) -> StreamSpec:
        """What the server must know of the stream."""
        return StreamSpec(
            name=self.id, inward=True, schema=self.codec.schema, trusted=self._trusted
        )

    def again(self, place: Place) -> Pending[T]:
        """Go on with a `wait` or `once` in which a snapshot was made."""
        return Pending(self._take_on(place, line=caller_line()))

    async def _take_on(self, place: Place, *, line: str) -> Answer[T]:
        taken = await execution.take_on(
            execution.require(f"{self.id}.wait"),
            inward(self.id),
            place,
            fits=self._decode,
            line=line,
            on_invalid=self._on_invalid,
        )
        return self._answer(taken, Deadline(shown=place.shown))

    def _next(self, limit: Deadline, *, parks: bool, keep_warm_ms: int | None = None) -> Pending[T]:
        line = caller_line()
        return Pending(self._take(limit, parks=parks, line=line, keep_warm_ms=keep_warm_ms))

    async def _take(
        self, limit: Deadline, *, parks: bool, line: str, keep_warm_ms: int | None
    ) -> Answer[T]:
        verb = "wait" if parks else "once"
        run = execution.require(f"{self.id}.{verb}")
        taken = await run.take(
            inward(self.id),
            f"{verb}:{self.id}",
            fits=self._decode,
            timeout_ms=limit.timeout_ms,
            until=limit.until,
            parks=parks,
            line=line,
            on_invalid=self._on_invalid,
            keep_warm_ms=keep_warm_ms,
            shown=limit.shown,
        )
        return self._answer(taken, limit)

    def _answer(self, taken: execution.Taken[T] | None, limit: Deadline) -> Answer[T]:
        if taken is None:
            return TimedOut(WaitTimeout(f"nothing came on {self.id!r} {limit.shown}"))
        return Ok(taken.value)

    def _decode(self, raw: bytes) -> T:
        return self.codec.decode(raw, self.id)

    def _called(self, handler: Handler[T]) -> Callable[[bytes], Awaitable[None]]:
        async def call(raw: bytes) -> None:
            try:
                value = self._decode(raw)
            except BadValue as error:
                if self._on_invalid == "raise":
                    raise
                _log.warning("a value does not fit its stream", stream=self.id, why=error.message)
                return
            answer = handler(value)
            if inspect.isawaitable(answer):
                await answer

        return call

    async def _send(self, run_id: str, raw: bytes, key: str, line: str) -> Receipt:
        run = execution.current()
        if run is not None:
            return _receipt(await run.send(run_id, self.id, raw, key=key, line=line))
        return await (await connected()).send(run_id, self.id, raw, key=key)


class InputStreamOf(Generic[T]):
    """An input stream of one run."""

    run_id: str

    __slots__ = ("_stream", "run_id")

    def __init__(self, stream: InputStream[T], run_id: str) -> None:
        self._stream = stream
        self.run_id = run_id

    @property
    def id(self) -> str:
        """The stream's id."""
        return self._stream.id

    def send(self, value: T, *, idempotency_key: str = "") -> Coroutine[Any, Any, Receipt]:
        """Send a value; see `InputStream.send`."""
        return self._stream.send(self.run_id, value, idempotency_key=idempotency_key)

    async def read(self, *, start: int = 0) -> AsyncIterator[T]:
        """Yield everything that was sent, from number `start` on, until the run is over."""
        api = await connected()
        async for record in api.tail(self.run_id, self.id, inward=True, start=start):
            yield self._stream.codec.decode(bytes(record.data), self.id)

    @property
    def sync(self) -> SyncInputStreamOf[T]:
        """The same, blocking."""
        return SyncInputStreamOf(self)


class _Loop(AsyncIterator[T]):
    """`async for value in stream`: `once`, again and again."""

    __slots__ = ("_stream",)

    def __init__(self, stream: InputStream[T]) -> None:
        self._stream = stream

    def __anext__(self) -> Coroutine[Any, Any, T]:
        return self._stream.once().unwrap()


_receipt = msgspec.json.Decoder(Receipt).decode
