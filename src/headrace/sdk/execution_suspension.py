"""The coroutine of a task in one life: begun, or taken up where a snapshot was made; saved.

Owns: what a snapshot holds beside the frames, and what forbids one.
Must never know: when a run is saved, keys' texts, how frames are saved.
"""

from __future__ import annotations

import sys
from collections.abc import Coroutine, Iterator
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeGuard, runtime_checkable

import msgspec

from headrace import frames
from headrace.kernel.model import Footing, Instant, Key
from headrace.sdk.awaited import Awaited, awaited_by
from headrace.sdk.execution_question import Place
from headrace.sdk.execution_rest import waiter_of
from headrace.sdk.footing import footing_of
from headrace.sdk.lines import line_at
from headrace.sdk.packing import packed, unpacked
from headrace.sdk.replay import standing
from headrace.sdk.scope import Branch, Scope
from headrace.sdk.sealing import NotOpened, Sealer
from headrace.wire.channel import SNAPSHOT_AT_MOST

if TYPE_CHECKING:
    from headrace.sdk.execution_course import Runnable
    from headrace.sdk.execution_life import Life

UserCode: TypeAlias = Coroutine[Any, Any, Any]


@runtime_checkable
class Suspends(Protocol):
    """A task whose coroutine may be saved."""

    @property
    def is_resumable(self) -> bool:
        """Tell whether it can be saved at all."""
        ...

    @property
    def keep_warm_ms(self) -> int | None:
        """Return for how long a run that waits stays in memory, if the task says so."""
        ...

    def call(self, payload: bytes) -> UserCode:
        """Decode the payload and return the call of the user's function, not begun."""
        ...

    def again(self, place: Place, kept: object, *, unwraps: bool) -> Awaited[Any]:
        """Make the wait at a place once more, with what it kept in the snapshot."""
        ...

    def encoded(self, result: object) -> bytes:
        """Return JSON text of what the function returned."""
        ...


class CannotSave(Exception):
    """The run cannot be saved where it waits. `place` names what is in the way, once for all."""

    def __init__(self, message: str, place: str) -> None:
        super().__init__(message)
        self.message, self.place = message, place


class _Envelope(msgspec.Struct, frozen=True, array_like=True):
    """What is sealed. The wait is that asked last under the name at `at`."""

    names: tuple[str, ...]
    counts: tuple[int, ...]
    children: int
    at: int
    count: int
    unwraps: bool
    parks: bool
    timeout_ms: int | None
    until: int | None
    shown: str
    weight: int
    """Bytes of the journal that a replay would still need."""
    code: bytes
    passed: tuple[str, ...] = ()
    """Keys that no question gets any more."""


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Envelope).decode


@dataclass(frozen=True, slots=True)
class Opened:
    """A snapshot whose seal is whole."""

    envelope: _Envelope

    def counted(self, scope: Scope) -> None:
        """Let a fresh scope go on counting where the saved one was."""
        envelope = self.envelope
        scope.asked.update(zip(envelope.names, envelope.counts, strict=True))
        scope.children = envelope.children
        scope.crew.passed.update(map(Key, envelope.passed))

    @property
    def weight(self) -> int:
        """Return how much of the journal lies before the snapshot."""
        return self.envelope.weight

    def stood(self) -> tuple[Place, bool]:
        """Return where the run waits, and whether it wants the value itself."""
        one = self.envelope
        name = one.names[one.at]
        place = Place(
            name,
            one.counts[one.at] - 1,
            count=one.count,
            timeout_ms=one.timeout_ms,
            until=None if one.until is None else Instant(one.until),
            shown=one.shown,
            parks=one.parks,
        )
        return place, one.unwraps


def place_of(run_id: str, seen: int) -> bytes:
    """Return what a snapshot's seal binds it to."""
    return f"{run_id}/{seen}".encode()


def opened(sealer: Sealer | None, place: bytes, data: bytes) -> Opened:
    """Open a snapshot, or raise `NotOpened`; nothing of it is unpickled yet."""
    if sealer is None:
        raise NotOpened("this worker has no key for snapshots")
    try:
        return Opened(_decode(unpacked(sealer.opened(place, data))))
    except ValueError as error:  # msgspec's are such, too
        raise NotOpened(f"the snapshot has another form: {error}") from None


def suspension_of(life: Life, runnable: Runnable, sealer: Sealer | None) -> Suspension | None:
    """Return what saves a task's code, if that can be."""
    if sealer is None or not _suspends(runnable) or not runnable.is_resumable:
        return None
    return Suspension(life, runnable, sealer)


_kinds: Final[dict[type[Runnable], bool]] = {}


def _suspends(runnable: Runnable) -> TypeGuard[Suspends]:
    """Look at a class once: a look at a Protocol's verbs costs a third of a trivial run."""
    kind = type(runnable)
    known = _kinds.get(kind)
    if known is None:
        known = _kinds[kind] = isinstance(runnable, Suspends)
    return known


class Suspension:
    """The user's coroutine, and its snapshots."""

    def __init__(self, life: Life, task: Suspends, sealer: Sealer) -> None:
        self._life, self._task, self._sealer = life, task, sealer
        self._code: UserCode | None = None
        self._scope = Scope(life.crew)
        self._context = self._known = Context()
        self.has_code_run = False
        """Whether any of the user's code has run in this life."""

    @property
    def keep_warm_ms(self) -> int | None:
        """Return what the task says."""
        return self._task.keep_warm_ms

    def prepare(self, scope: Scope, context: Context) -> None:
        """Note what the code starts with."""
        self._scope, self._context, self._known = scope, context, context.copy()

    async def executed(self, payload: bytes, saved: Opened | None) -> bytes:
        """Run the code to its end."""
        if saved is None:
            self._code = self._task.call(payload)
            self.has_code_run = True
        else:
            code, tells = saved.envelope.code, self._life.opening.goes_on_as_saved
            self._code = frames.restore(code, lambda kept: self._taken_up(saved, kept), tells)
        return self._task.encoded(await self._code)

    def _taken_up(self, saved: Opened, kept: object) -> Awaited[Any]:
        self.has_code_run = True
        place, unwraps = saved.stood()
        return self._task.again(place, kept, unwraps=unwraps)

    def saved(
        self, journal: bytes, weight: int, *, takes_sources: bool
    ) -> tuple[bytes, Footing | None]:
        """Return the sealed snapshot of code that stands in a wait, or raise `CannotSave`.

        With its sources it can go on when the code has changed. Beside it: what may be told of it
        to those who cannot open it.
        """
        self._look_around()
        stands: list[Awaited[Any]] = []

        def leaf(awaited: object) -> object | None:
            found = awaited_by(awaited)
            if found is None:
                return None
            stands.append(found)
            return found.keeps

        try:
            code = frames.save(self._code, leaf, takes_sources=takes_sources)
        except frames.NotSaved as error:
            place = f"{error.file}:{error.line}:{error.variable}"
            raise CannotSave(str(error), place) from None
        body = self._sealer.sealed(journal, packed(self._enveloped(bytes(code), stands[0], weight)))
        if len(body) > SNAPSHOT_AT_MOST:
            message = f"its snapshot has {len(body)} bytes; the most is {SNAPSHOT_AT_MOST}"
            raise CannotSave(message, "size")
        return body, footing_of(code, keeps=takes_sources)

    def _enveloped(self, code: bytes, stands: Awaited[Any], weight: int) -> bytes:
        scope, question = self._scope, standing(self._life.replay)
        place = None if question is None else question.place
        if place is None:
            raise CannotSave("it is between two waits", "")
        names = tuple(scope.asked)
        return _encode(
            _Envelope(
                names=names,
                counts=tuple(scope.asked.values()),
                children=scope.children,
                at=names.index(place.name),
                count=place.count,
                unwraps=stands.unwraps,
                parks=place.parks,
                timeout_ms=place.timeout_ms,
                until=place.until,
                shown=place.shown,
                weight=weight,
                code=code,
                passed=tuple(sorted(scope.crew.passed)),
            )
        )

    def put_away(self) -> None:
        """Drop the code where it stands: none of it runs any more."""
        if self._code is not None:
            frames.put_away(self._code)  # type: ignore[arg-type]

    # --- what forbids a snapshot ----------------------------------------------------------------

    def _look_around(self) -> None:
        """See that the coroutine is all there is of the run, or say what else there is."""
        for why, place in self._others():
            raise CannotSave(f"{why}; a run is saved while it stands in one place only", place)
        names = sorted(_changed(self._known, self._context))
        if names:
            raise CannotSave(
                f"the context variable {names[0]!r} was set by the task, and would be lost; reset "
                "it before the wait",
                f"context:{names[0]}",
            )

    def _others(self) -> Iterator[tuple[str, str]]:
        life = self._life
        for stream, ear in life.ears.items():
            yield f"stream {stream[1:]!r} has a live handler, `on` at {ear.line}", ear.line
        for ear in life.leaving:
            yield f"the handler of `on` at {ear.line} has not come to its end", ear.line
        for branch in life.course.beside():
            shown = self._shown(branch)
            yield f"another branch of it lives, {shown}", shown
        if life.crew.threads:
            yield "a thread of it is at work", "thread"

    def _shown(self, branch: Branch) -> str:
        """Say where a branch stands: in a wait, or somewhere in its code."""
        waiter = waiter_of(branch)
        for question in self._life.replay.questions.values():
            if waiter is not None and question.waiter is waiter and question.asked is not None:
                return f"in the wait at {question.asked.line}"
        return _at(branch)


def _at(branch: Branch) -> str:
    code: Any = branch.get_coro()
    frame = getattr(code, "cr_frame", None)
    name = getattr(code, "__qualname__", type(code).__qualname__)
    return f"{name}() at {line_at(frame)}" if frame is not None else f"{name}()"


def _changed(before: Context, present: Context) -> Iterator[str]:
    """Yield the names of the context variables that are not as they were at the start."""
    for variable, value in present.items():
        is_known = variable in before and before[variable] is value
        if not is_known and not _is_usual(variable.name, value):
            yield variable.name


def _is_usual(name: str, value: object) -> bool:
    """Tell whether a value is what asking for the variable makes it: decimal numbers do that."""
    decimal = sys.modules.get("decimal")
    if name != "decimal_context" or decimal is None:
        return False
    usual = decimal.DefaultContext
    fields = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp", "traps")
    return all(getattr(value, field, None) == getattr(usual, field) for field in fields)
