"""Tasks: functions that are run durably.

Owns: what `@task` takes and makes, and starting runs from wherever one is.
Must never know: how a run is executed.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import update_wrapper
from typing import Any, Generic, TypedDict, TypeVar, Unpack, overload

import msgspec

from headrace.sdk import execution
from headrace.sdk._sync import SyncTask
from headrace.sdk.awaited import Awaited
from headrace.sdk.blocking import in_thread
from headrace.sdk.codecs import codec_for
from headrace.sdk.connection import connected
from headrace.sdk.deadlines import Duration, seconds_text
from headrace.sdk.debouncing import Debounce, debounced
from headrace.sdk.execution_question import Place
from headrace.sdk.handles import Handle
from headrace.sdk.lines import caller_line
from headrace.sdk.registry import checked_name, declared_task, defined_at, registry
from headrace.sdk.repeating import warn_of
from headrace.sdk.resuming import resumable, wait_again
from headrace.sdk.retrying import Retry
from headrace.sdk.signatures import TaskSignature
from headrace.wire import packets
from headrace.wire.durations import duration_ms, moment
from headrace.wire.registration import TaskSpec
from headrace.wire.views import TriggerOptions, TriggerOrder

P = TypeVar("P")
R = TypeVar("R")

# The very objects that are the defaults: only those are left out of the JSON.
_NO_PAYLOAD = TriggerOrder().payload
_NO_METADATA = TriggerOptions().metadata
_encode = msgspec.json.Encoder().encode
_metadata = codec_for(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Options:
    """What `@task` was given; see there."""

    id: str = ""
    max_attempts: int | None = None
    retry: Retry | None = None
    ttl: Duration | None = None
    max_duration: Duration | None = None
    keep_warm: Duration | None = None
    snapshot: bool = True


class Start(TypedDict, total=False):
    """What `trigger` takes beside the payload."""

    tags: Sequence[str]
    idempotency_key: str | None
    idempotency_key_ttl: Duration | None
    delay: Duration | datetime | None
    ttl: Duration | None
    max_attempts: int | None
    metadata: Mapping[str, Any] | None
    debounce: Debounce | None


class Task(Generic[P, R]):
    """A task with payload P and result R. Called directly, it is its function and nothing more."""

    id: str

    def __init__(self, fn: Callable[..., Any], options: Options) -> None:
        update_wrapper(self, fn)
        self.fn, self.not_resumable = resumable(fn) if options.snapshot else (fn, None)
        """The function, and why it cannot be saved, if it should and cannot."""
        self._snapshot = options.snapshot
        self.keep_warm_ms = None if options.keep_warm is None else duration_ms(options.keep_warm)
        self.id = checked_name("task", options.id or _name(fn).replace("_", "-"))
        self._signature = TaskSignature(fn)
        self._retry = (options.retry or Retry()).policy(options.max_attempts)
        self._ttl_ms = None if options.ttl is None else duration_ms(options.ttl)
        longest = options.max_duration
        self._max_duration_ms = None if longest is None else duration_ms(longest)

    def __repr__(self) -> str:
        return f"Task({self.id!r})"

    @overload
    def __call__(self: Task[None, R]) -> Coroutine[Any, Any, R]: ...
    @overload
    def __call__(self, payload: P, /) -> Coroutine[Any, Any, R]: ...
    def __call__(self, *payload: Any) -> Coroutine[Any, Any, Any]:
        """Call the function itself: no run, nothing stored. A plain one runs in a thread."""
        return self._call(*payload)

    @overload
    def trigger(
        self: Task[None, R], payload: None = None, **options: Unpack[Start]
    ) -> Coroutine[Any, Any, Handle[R]]: ...
    @overload
    def trigger(self, payload: P, **options: Unpack[Start]) -> Coroutine[Any, Any, Handle[R]]: ...
    def trigger(
        self,
        payload: Any = None,
        *,
        tags: Sequence[str] = (),
        idempotency_key: str | None = None,
        idempotency_key_ttl: Duration | None = None,
        delay: Duration | datetime | None = None,
        ttl: Duration | None = None,
        max_attempts: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        debounce: Debounce | None = None,
    ) -> Coroutine[Any, Any, Handle[R]]:
        """Start a run, durably; inside a task this is remembered, and not done again on replay."""
        raw = self._signature.payload.encode(payload, "payload", most=packets.MOST)
        options = TriggerOptions(
            tags=_tags(tags),
            idempotency_key=idempotency_key,
            idempotency_key_ttl=_seconds(idempotency_key_ttl),
            delay=delay_text(delay),
            ttl=_seconds(ttl),
            max_attempts=max_attempts,
            metadata=raw_metadata(metadata),
            debounce=debounced(debounce),
        )
        takes_one = self._signature.parameter is not None
        order = TriggerOrder(
            payload=msgspec.Raw(raw) if takes_one else _NO_PAYLOAD, options=options
        )
        return self._start(order, caller_line())

    @property
    def sync(self) -> SyncTask[P, R]:
        """The same, blocking."""
        return SyncTask(self)

    @property
    def spec(self) -> TaskSpec:
        """What the server must know of the task."""
        return TaskSpec(
            id=self.id,
            schema=self._signature.payload.schema,
            optional=self._has_default,
            retry=self._retry,
            ttl_ms=self._ttl_ms,
            max_duration_ms=self._max_duration_ms,
        )

    async def execute(self, payload: bytes) -> bytes:
        """Run the function on JSON text; return that of its result."""
        return self.encoded(await self._call(*self._arguments(payload)))

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return declared_task, (self.id,)

    # --- for whoever saves its runs --------------------------------------------------------------

    @property
    def is_resumable(self) -> bool:
        """Tell whether a run that waits can be saved."""
        return self._snapshot and self._signature.is_async and self.not_resumable is None

    def call(self, payload: bytes) -> Coroutine[Any, Any, Any]:
        """Return the function's own coroutine, not begun."""
        made: Coroutine[Any, Any, Any] = self.fn(*self._arguments(payload))
        return made

    def again(self, place: Place, kept: object, *, unwraps: bool) -> Awaited[Any]:
        """Make a wait again in which a snapshot was made."""
        return wait_again(place, kept, unwraps=unwraps)

    def encoded(self, result: object) -> bytes:
        """Return JSON text of what the function returned."""
        return self._signature.result.encode(result, "result", most=packets.MOST)

    async def _call(self, *payload: Any) -> Any:
        if self._signature.is_async:
            return await self.fn(*payload)
        return await in_thread(self.fn, *payload)

    @property
    def _has_default(self) -> bool:
        parameter = self._signature.parameter
        return parameter is not None and parameter.default is not parameter.empty

    def _arguments(self, payload: bytes) -> tuple[Any, ...]:
        parameter, codec = self._signature.parameter, self._signature.payload
        if self._has_default and not payload:
            return ()  # none was sent: the function's own default counts
        value = codec.decode(payload, "payload")
        return () if parameter is None else (value,)

    async def _start(self, order: TriggerOrder, line: str) -> Handle[R]:
        run, result = execution.current(), self._signature.result
        if run is not None:
            run_id = await run.start(self.id, _encode(order), line=line)
            return Handle(run_id, self.id, result)
        started = await (await connected()).trigger(self.id, order)
        return Handle(started.id, self.id, result, public_token=started.public_token)


class Decorator:
    """`@task(...)`, waiting for its function."""

    def __init__(self, options: Options) -> None:
        self._options = options

    @overload
    def __call__(self, fn: Callable[[P], Coroutine[Any, Any, R]]) -> Task[P, R]: ...
    @overload
    def __call__(self, fn: Callable[[], Coroutine[Any, Any, R]]) -> Task[None, R]: ...
    @overload
    def __call__(self, fn: Callable[[P], R]) -> Task[P, R]: ...
    @overload
    def __call__(self, fn: Callable[[], R]) -> Task[None, R]: ...
    def __call__(self, fn: Callable[..., Any]) -> Task[Any, Any]:
        """Make the function a task."""
        return _declared(fn, self._options)


@overload
def task(fn: Callable[[P], Coroutine[Any, Any, R]], /) -> Task[P, R]: ...
@overload
def task(fn: Callable[[], Coroutine[Any, Any, R]], /) -> Task[None, R]: ...
@overload
def task(fn: Callable[[P], R], /) -> Task[P, R]: ...
@overload
def task(fn: Callable[[], R], /) -> Task[None, R]: ...
@overload
def task(
    *,
    id: str = ...,
    max_attempts: int | None = ...,
    retry: Retry | None = ...,
    ttl: Duration | None = ...,
    max_duration: Duration | None = ...,
    keep_warm: Duration | None = ...,
    snapshot: bool = ...,
) -> Decorator: ...
def task(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    id: str = "",
    max_attempts: int | None = None,
    retry: Retry | None = None,
    ttl: Duration | None = None,
    max_duration: Duration | None = None,
    keep_warm: Duration | None = None,
    snapshot: bool = True,
) -> Task[Any, Any] | Decorator:
    """Make a function, async or plain, one that is run durably; it takes one parameter, or none.

    Use it bare or with options. The `id` is by default the function's name, with dashes.
    `max_attempts` goes before that of `retry`. `ttl` is how long a run may stand in the queue,
    `max_duration` how long it may execute, waiting not counted.

    A run that waits is saved and its memory given back after `keep_warm` (30 s by default, `"0s"`
    is at once). With `snapshot=False` it stays in memory, and goes on by replay elsewhere.
    """
    options = Options(id, max_attempts, retry, ttl, max_duration, keep_warm, snapshot)
    return Decorator(options) if fn is None else _declared(fn, options)


def _declared(fn: Callable[..., Any], options: Options) -> Task[Any, Any]:
    made: Task[Any, Any] = Task(fn, options)
    registry.add_task(made, defined_at(fn))
    warn_of(fn)
    return made


def _name(fn: Callable[..., Any]) -> str:
    return str(getattr(fn, "__name__", ""))


def _tags(tags: Sequence[str]) -> list[str] | None:
    return [tags] if isinstance(tags, str) else list(tags) or None


def _seconds(value: Duration | None) -> str | None:
    return None if value is None else seconds_text(value)


def delay_text(value: Duration | datetime | None) -> str | float | None:
    """Return a delay as it goes over the wire."""
    match value:
        case datetime():
            moment(value)  # refuses one without a time zone
            return value.isoformat()
        case timedelta():
            return duration_ms(value) / 1_000
        case _:
            return value


def raw_metadata(metadata: Mapping[str, Any] | None) -> msgspec.Raw:
    """Return metadata as JSON text."""
    if metadata is None:
        return _NO_METADATA
    return msgspec.Raw(_metadata.encode(dict(metadata), "metadata"))
