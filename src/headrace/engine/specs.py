"""What is declared in an environment, kept in memory, and what a declaration must be.

Rule: that somebody has declared something is a hint, and may be lost. So what is kept is soon asked
for again (law 9).
"""

from __future__ import annotations

from headrace.errors import BadRequest
from headrace.kernel.model import EnvId, Instant, TaskId, later
from headrace.ports import Code, Stores
from headrace.wire import schemas
from headrace.wire.channel import FUNCTION_NAME_AT_MOST, FUNCTIONS_AT_MOST
from headrace.wire.registration import Registration, StreamSpec, TaskSpec

NAME_AT_MOST = 128
_SHOWN = 40
KEPT_MS = 2_000
"""How long a declaration is not asked for again."""


def check(registration: Registration) -> None:
    """Refuse what nobody could use, or is too much, whichever way it comes."""
    if len(registration.functions) > FUNCTIONS_AT_MOST:
        raise BadRequest(f"a registration tells of at most {FUNCTIONS_AT_MOST} functions")
    if any(len(name) > FUNCTION_NAME_AT_MOST for name in registration.functions):
        message = f"a function's name has at most {FUNCTION_NAME_AT_MOST} characters"
        raise BadRequest(message)
    for task in registration.tasks:
        _check("task", task.id, task.schema)
    for stream in registration.streams:
        _check("stream", stream.name, stream.schema)


def _check(what: str, name: str, schema: bytes) -> None:
    shown = f"{what} {name[:_SHOWN] + ('...' if name[_SHOWN:] else '')!r}"
    if not 0 < len(name) <= NAME_AT_MOST or not name.isprintable():
        message = f"{shown}: a name has 1 to {NAME_AT_MOST} printable characters"
        raise BadRequest(message)
    try:
        schemas.validator(schema)
    except BadRequest as error:
        message = f"{shown}: {error.message}"
        raise BadRequest(message) from None


class Specs:
    """Declarations that have been asked for; forgotten whenever somebody registers, and soon."""

    def __init__(self, stores: Stores) -> None:
        self._catalog, self._clock = stores.catalog, stores.clock
        self._generation = 0
        self._until = Instant(0)
        self._tasks: dict[tuple[EnvId, str], TaskSpec] = {}
        self._streams: dict[tuple[EnvId, str], StreamSpec] = {}
        self._codes: dict[tuple[EnvId, str], Code] = {}

    def forget(self) -> None:
        """Ask the catalog again from now on; what is being asked now is not kept."""
        self._generation += 1
        self._tasks.clear()
        self._codes.clear()
        self._streams.clear()
        self._until = later(self._clock.now(), KEPT_MS)

    def _lapse(self) -> None:
        if self._clock.now() >= self._until:
            self.forget()

    async def task(self, env: EnvId, name: str) -> TaskSpec | None:
        """Return the task's declaration."""
        self._lapse()
        found = self._tasks.get((env, name))
        if found is None:
            generation = self._generation
            found = await self._catalog.task(env, TaskId(name))
            if found is not None and generation == self._generation:
                self._tasks[env, name] = found
        return found

    async def code(self, env: EnvId, name: str) -> Code | None:
        """Return what the version is made of that declared the task last."""
        self._lapse()
        found = self._codes.get((env, name))
        if found is None:
            generation = self._generation
            found = await self._catalog.code(env, TaskId(name))
            if found is not None and generation == self._generation:
                self._codes[env, name] = found
        return found

    async def stream(self, env: EnvId, name: str) -> StreamSpec | None:
        """Return the input stream's declaration."""
        self._lapse()
        found = self._streams.get((env, name))
        if found is None:
            generation = self._generation
            found = await self._catalog.stream(env, name)
            if found is not None and generation == self._generation:
                self._streams[env, name] = found
        return found
