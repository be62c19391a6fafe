"""The blocking twins of the async classes: the same names, for plain code.

Made by tools/unasync.py from the async classes; change those, and make this anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, overload

from headrace.sdk.answers import Answer
from headrace.sdk.blocking import blocking, blocking_iterator, blocking_on_loop, in_own_thread
from headrace.sdk.deadlines import Duration
from headrace.sdk.views import Run
from headrace.wire.views import Receipt

if TYPE_CHECKING:  # those modules import this one
    from typing import Unpack

    from headrace.sdk.debouncing import Debounce
    from headrace.sdk.handles import Handle
    from headrace.sdk.inputs import (
        AnyRun,
        InputStream,
        InputStreamOf,
        OnError,
        Subscription,
    )
    from headrace.sdk.outputs import OutputStream
    from headrace.sdk.steps import Step
    from headrace.sdk.tasks import Start, Task

A = ParamSpec("A")
P = TypeVar("P")
R = TypeVar("R")
T = TypeVar("T")


class SyncHandle(Generic[R]):
    """`Handle`, blocking."""

    __slots__ = ("_of",)

    def __init__(self, of: Handle[R]) -> None:
        self._of = of

    @property
    def id(self) -> str:
        """See the async class."""
        return self._of.id

    @property
    def task_id(self) -> str:
        """See the async class."""
        return self._of.task_id

    @property
    def public_token(self) -> str:
        """See the async class."""
        return self._of.public_token

    def result(self) -> R:
        """Wait until the run is over; return its result, or raise the verdict on it."""
        return blocking(self._of.result())

    def cancel(self) -> Run:
        """Ask the run to stop, and return it; one that is over stays as it is."""
        return blocking(self._of.cancel())


class SyncTask(Generic[P, R]):
    """`Task`, blocking."""

    __slots__ = ("_of",)

    def __init__(self, of: Task[P, R]) -> None:
        self._of = of

    @property
    def id(self) -> str:
        """See the async class."""
        return self._of.id

    @overload
    def __call__(self: SyncTask[None, R]) -> R: ...

    @overload
    def __call__(self, payload: P, /) -> R: ...

    def __call__(self, *payload: Any) -> Any:
        """Call the function itself: no run, nothing stored. A plain one runs in a thread."""
        return blocking(self._of(*payload))

    @overload
    def trigger(
        self: SyncTask[None, R], payload: None = None, **options: Unpack[Start]
    ) -> SyncHandle[R]: ...

    @overload
    def trigger(self, payload: P, **options: Unpack[Start]) -> SyncHandle[R]: ...

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
    ) -> SyncHandle[R]:
        """Start a run, durably; inside a task this is remembered, and not done again on replay."""
        return blocking(
            self._of.trigger(
                payload,
                tags=tags,
                idempotency_key=idempotency_key,
                idempotency_key_ttl=idempotency_key_ttl,
                delay=delay,
                ttl=ttl,
                max_attempts=max_attempts,
                metadata=metadata,
                debounce=debounce,
            )
        ).sync


class SyncStep(Generic[A, R]):
    """`Step`, blocking."""

    __slots__ = ("_of",)

    def __init__(self, of: Step[A, R]) -> None:
        self._of = of

    @property
    def name(self) -> str:
        """See the async class."""
        return self._of.name

    def __call__(self, *args: A.args, **kwargs: A.kwargs) -> R:
        """Call the function, or remember what it gave."""
        return blocking(self._of(*args, **kwargs))


class SyncSubscription:
    """`Subscription`, blocking."""

    __slots__ = ("_of",)

    def __init__(self, of: Subscription) -> None:
        self._of = of

    def off(self) -> None:
        """Hear no more. A handler that is running goes on to its end."""
        return blocking_on_loop(self._of.off)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return blocking_on_loop(lambda: self._of.__exit__(kind, error, trace))


class SyncInputStreamOf(Generic[T]):
    """`InputStreamOf`, blocking."""

    __slots__ = ("_of",)

    def __init__(self, of: InputStreamOf[T]) -> None:
        self._of = of

    @property
    def run_id(self) -> str:
        """See the async class."""
        return self._of.run_id

    @property
    def id(self) -> str:
        """The stream's id."""
        return self._of.id

    def send(self, value: T, *, idempotency_key: str = "") -> Receipt:
        """Send a value; see `InputStream.send`."""
        return blocking(self._of.send(value, idempotency_key=idempotency_key))

    def read(self, *, start: int = 0) -> Iterator[T]:
        """Yield everything that was sent, from number `start` on, until the run is over."""
        return blocking_iterator(self._of.read(start=start))


class SyncInputStream(Generic[T]):
    """`InputStream`, blocking."""

    __slots__ = ("_of",)

    def __init__(self, of: InputStream[T]) -> None:
        self._of = of

    @property
    def id(self) -> str:
        """See the async class."""
        return self._of.id

    def wait(
        self,
        *,
        timeout: Duration | None = None,
        until: datetime | None = None,
        keep_warm: Duration | None = None,
    ) -> Answer[T]:
        """Wait for the next value; the run's memory is given back after `keep_warm`."""
        return blocking(self._of.wait(timeout=timeout, until=until, keep_warm=keep_warm))

    def once(self, *, timeout: Duration | None = None, until: datetime | None = None) -> Answer[T]:
        """Return the next value; the run stays in its process."""
        return blocking(self._of.once(timeout=timeout, until=until))

    def on(self, handler: Callable[[T], object], *, on_error: OnError = "fail") -> SyncSubscription:
        """Have `handler`, async or plain, called with every value from here on, one at a time."""
        return blocking_on_loop(lambda: self._of.on(in_own_thread(handler), on_error=on_error)).sync

    def peek(self) -> T | None:
        """Return the newest value that nobody has taken, if there is one; never wait."""
        return blocking_on_loop(self._of.peek)

    def __iter__(self) -> Iterator[T]:
        return blocking_iterator(aiter(self._of))

    def of(self, run: AnyRun) -> SyncInputStreamOf[T]:
        """Return this stream of one run, to send to it or read all of it."""
        return self._of.of(run).sync

    def send(self, run: AnyRun, value: T, *, idempotency_key: str = "") -> Receipt:
        """Send a value to a run; done when it is on disk. Inside a task this is remembered."""
        return blocking(self._of.send(run, value, idempotency_key=idempotency_key))


class SyncOutputStream(Generic[T]):
    """`OutputStream`, blocking."""

    __slots__ = ("_of",)

    def __init__(self, of: OutputStream[T]) -> None:
        self._of = of

    @property
    def id(self) -> str:
        """See the async class."""
        return self._of.id

    def append(self, value: T) -> None:
        """Append a value; a replay does not append it again."""
        return blocking(self._of.append(value))

    def pipe(self, values: Iterable[T]) -> None:
        """Append everything that `values` yields, as it comes."""
        for value in values:
            self.append(value)

    def read(self, run: AnyRun, *, start: int = 0) -> Iterator[T]:
        """Yield what the run has appended, from number `start` on, until the run is over."""
        return blocking_iterator(self._of.read(run, start=start))
