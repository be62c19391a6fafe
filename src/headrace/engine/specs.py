"""What is declared in an environment, kept in memory, and what a declaration must be."""

from __future__ import annotations

from headrace.errors import BadRequest
from headrace.kernel.model import EnvId, TaskId
from headrace.ports import Catalog
from headrace.wire import schemas
from headrace.wire.channel import Registration, StreamSpec, TaskSpec

NAME_AT_MOST = 128
_SHOWN = 40


def check(registration: Registration) -> None:
    """Refuse names and schemas that nobody could use, whichever way they come."""
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
    """Declarations that have been asked for; forgotten whenever somebody registers."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._generation = 0
        self._tasks: dict[tuple[EnvId, str], TaskSpec] = {}
        self._streams: dict[tuple[EnvId, str], StreamSpec] = {}

    def forget(self) -> None:
        """Ask the catalog again from now on; what is being asked now is not kept."""
        self._generation += 1
        self._tasks.clear()
        self._streams.clear()

    async def task(self, env: EnvId, name: str) -> TaskSpec | None:
        """Return the task's declaration."""
        found = self._tasks.get((env, name))
        if found is None:
            generation = self._generation
            found = await self._catalog.task(env, TaskId(name))
            if found is not None and generation == self._generation:
                self._tasks[env, name] = found
        return found

    async def stream(self, env: EnvId, name: str) -> StreamSpec | None:
        """Return the input stream's declaration."""
        found = self._streams.get((env, name))
        if found is None:
            generation = self._generation
            found = await self._catalog.stream(env, name)
            if found is not None and generation == self._generation:
                self._streams[env, name] = found
        return found
