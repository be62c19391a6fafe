"""Steps: functions whose result is remembered, so that a replay does not call them again.

Owns: what `@step` makes, its tries, and the fingerprint of its arguments.
Must never know: the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from functools import update_wrapper
from hashlib import blake2b
from random import Random
from typing import Any, Final, Generic, ParamSpec, TypeVar, cast, overload

import msgspec

from headrace.errors import BadRequest, Mistake
from headrace.kernel import model
from headrace.kernel.retry import delay_ms
from headrace.sdk import execution
from headrace.sdk._sync import SyncStep
from headrace.sdk.blocking import in_thread
from headrace.sdk.lines import caller_line
from headrace.sdk.retrying import Retry, pauses
from headrace.sdk.signatures import Signature

A = ParamSpec("A")
R = TypeVar("R")

NAME_BYTES: Final = 1_024
_ONCE = model.Retry(max_attempts=1)
_SHOWN = 40


class Step(Generic[A, R]):
    """A function whose result, once it is on disk, is not computed again.

    Awaiting its call gives the result as its JSON form reads, the same live and on replay. A plain
    function runs in a thread. Outside a run it is only the function.
    """

    name: str

    def __init__(self, name: str, fn: Callable[A, Any], retry: Retry | None) -> None:
        update_wrapper(self, fn)
        self.fn = fn
        self.name = _checked(name)
        self._signature = Signature(fn)
        self._policy = _ONCE if retry is None else retry.policy()

    def __repr__(self) -> str:
        return f"Step({self.name!r})"

    def __call__(self, *args: A.args, **kwargs: A.kwargs) -> Coroutine[Any, Any, R]:
        """Call the function, or remember what it gave."""

        async def call() -> R:
            if self._signature.is_async:
                return cast("R", await self.fn(*args, **kwargs))
            return cast("R", await in_thread(self.fn, *args, **kwargs))

        run = execution.current()
        if run is None:
            return call()
        return self._remembered(run, call, _fingerprint((args, kwargs)), caller_line())

    def __await__(self: Step[[], R]) -> Generator[Any, Any, R]:
        """Call it without arguments: `await step("name", fn)`."""
        return self().__await__()

    def __reduce__(self) -> str:
        return str(getattr(self, "__qualname__", self.name))  # found by name, as a function is

    @property
    def sync(self) -> SyncStep[A, R]:
        """The same, blocking."""
        return SyncStep(self)

    async def _remembered(
        self,
        run: execution.Execution,
        call: Callable[[], Coroutine[Any, Any, R]],
        fingerprint: str,
        line: str,
    ) -> R:
        codec = self._signature.result

        async def settle() -> bytes:
            # Not to be foreseen by nobody: only to differ from run to run, and not on replay.
            dice = Random(f"{run.run_id} {self.name} {fingerprint}")  # noqa: S311
            result = await self._tried(call, dice)
            return codec.encode(result, f"result of step {self.name!r}")

        raw = await run.step(self.name, settle, fingerprint=fingerprint, line=line)
        return cast("R", codec.decode(raw, f"result of step {self.name!r}"))

    async def _tried(self, call: Callable[[], Coroutine[Any, Any, R]], dice: Random) -> R:
        for attempt in range(1, self._policy.max_attempts):
            try:
                return await call()
            except Mistake:
                raise  # trying again is pointless
            except Exception:  # noqa: BLE001 - whatever it was, the next try may do better
                await pauses.sleep(delay_ms(self._policy, attempt, dice.random()) / 1_000)
        return await call()


class Decorator:
    """`@step(...)`, waiting for its function."""

    def __init__(self, name: str, retry: Retry | None) -> None:
        self._name, self._retry = name, retry

    @overload
    def __call__(self, fn: Callable[A, Coroutine[Any, Any, R]]) -> Step[A, R]: ...
    @overload
    def __call__(self, fn: Callable[A, R]) -> Step[A, R]: ...
    def __call__(self, fn: Callable[A, Any]) -> Step[A, Any]:
        """Make the function a step."""
        return Step(self._name or _name(fn), fn, self._retry)


@overload
def step(fn: Callable[A, Coroutine[Any, Any, R]], /) -> Step[A, R]: ...
@overload
def step(fn: Callable[A, R], /) -> Step[A, R]: ...
@overload
def step(
    name: str, fn: Callable[A, Coroutine[Any, Any, R]], /, *, retry: Retry | None = ...
) -> Step[A, R]: ...
@overload
def step(name: str, fn: Callable[A, R], /, *, retry: Retry | None = ...) -> Step[A, R]: ...
@overload
def step(*, name: str = ..., retry: Retry | None = ...) -> Decorator: ...
def step(
    first: str | Callable[..., Any] = "",
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    retry: Retry | None = None,
) -> Step[..., Any] | Decorator:
    """Make a function, async or plain, one whose result is remembered.

    `@step` and `@step(retry=Retry(...))` decorate; `step("charge", client.charge)` wraps somebody
    else's function, and `await step("draft", fn)` calls one without arguments at once. Without
    `retry` there is one try; what the last try raises, the caller gets.
    """
    if callable(first):
        return Step(_name(first), first, None)
    if fn is None:
        return Decorator(first or name, retry)
    return Step(first, fn, retry)


def _checked(name: str) -> str:
    """Return the name, if it can stand in a journal in every store."""
    text = name.encode(errors="ignore")
    if len(text) <= NAME_BYTES and "\0" not in name and text.decode() == name:
        return name
    shown = name[:_SHOWN] + ("..." if name[_SHOWN:] else "")
    raise BadRequest(
        f"step {shown!r}: its name has at most {NAME_BYTES:,} bytes of UTF-8, without U+0000",
        hint="Give it a short name, and pass what differs in its arguments.",
    )


def _name(fn: Callable[..., Any]) -> str:
    return str(getattr(fn, "__name__", type(fn).__name__))


def _fingerprint(arguments: object) -> str:
    """Return a short hash of arguments; what has no JSON form counts by its type."""
    text = _encode(arguments)
    return blake2b(text, digest_size=6).hexdigest()


def _opaque(value: object) -> str:
    return f"<{type(value).__qualname__}>"


_encode = msgspec.json.Encoder(enc_hook=_opaque, order="deterministic").encode
