"""What the imported modules declare: tasks and streams by name, and the version of their code.

Importing a module is declaring. What a function makes later, such as a test, replaces what a
function made earlier under the same name; anything else may be declared once.
Must never know: who serves the tasks.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeAlias, TypeVar

from headrace.errors import Mistake
from headrace.sdk.execution import Runnable
from headrace.sdk.footing import PYTHON, functions_here
from headrace.sdk.lines import caller_frame, caller_line, is_importing, line_of
from headrace.wire.registration import Registration, StreamSpec


@dataclass(frozen=True, slots=True)
class Site:
    """Where something is defined. Two of the same file and line are one definition."""

    module: str
    file: str
    line: int
    shown: str
    is_local: bool = False


class Stream(Protocol):
    """A declared stream."""

    @property
    def id(self) -> str:
        """Its name everywhere."""
        ...

    @property
    def spec(self) -> StreamSpec:
        """What the server must know of it."""
        ...


_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}")

Thing: TypeAlias = Runnable | Stream
T = TypeVar("T")


@dataclass(slots=True)
class Registry:
    """Everything declared so far."""

    _tasks: dict[str, tuple[Site, Runnable]] = field(default_factory=dict[str, Any])
    _streams: dict[str, tuple[Site, Stream]] = field(default_factory=dict[str, Any])

    def add_task(self, task: Runnable, site: Site) -> None:
        """Declare a task, or say where another one has the id."""
        _refuse_another("task", task.id, self._tasks.get(task.id), site)
        self._tasks[task.id] = site, task

    def add_stream(self, stream: Stream, site: Site) -> None:
        """Declare a stream; once more, with the same spec, is no mistake."""
        known = self._streams.get(stream.id)
        if known is not None and not _replaces(site, known[0]) and known[1].spec == stream.spec:
            return
        _refuse_another("stream", stream.id, known, site)
        self._streams[stream.id] = site, stream

    @property
    def tasks(self) -> Mapping[str, Runnable]:
        """The tasks, by id."""
        return {name: task for name, (_, task) in self._tasks.items()}

    @property
    def imported(self) -> Mapping[str, Runnable]:
        """The tasks that modules define, without those that some function has made since."""
        return {name: task for name, (site, task) in self._tasks.items() if not site.is_local}

    @property
    def streams(self) -> Mapping[str, Stream]:
        """The streams, by id."""
        return {name: stream for name, (_, stream) in self._streams.items()}

    def registration(self, tasks: Iterable[Runnable] | None = None) -> Registration:
        """Return what a worker that serves `tasks` (all, by default) declares.

        It reads source files, so an event loop should not wait for it.
        """
        served = self.tasks.values() if tasks is None else tasks
        sites = [site for site, _ in [*self._tasks.values(), *self._streams.values()]]
        modules = {site.module for site in sites}
        return Registration(
            version=version_of(modules),
            tasks=tuple(task.spec for task in served),
            streams=tuple(stream.spec for _, stream in self._streams.values()),
            python=PYTHON,
            functions=functions_here(modules),
        )

    def collect(self, module: ModuleType) -> tuple[Runnable, ...]:
        """Return the tasks that `module` defines or has imported."""
        held = {id(value) for value in vars(module).values()}
        return tuple(task for _, task in self._tasks.values() if id(task) in held)


def _refuse_another(what: str, name: str, known: tuple[Site, Thing] | None, site: Site) -> None:
    if known is not None and not _replaces(site, known[0]):
        raise Mistake(
            f"two {what}s are called {name!r}: at {known[0].shown} and at {site.shown}",
            hint=f"Give one of them another id; a {what}'s id names it in the whole environment.",
        )


def _replaces(new: Site, old: Site) -> bool:
    """Tell whether `new` is `old`, defined again."""
    if new.is_local and old.is_local:
        return True
    if new.module == old.module == "__main__" and not Path(new.file).exists():
        return True  # a notebook's cell
    return (new.file, new.line) == (old.file, old.line)


def version_of(modules: Iterable[str]) -> str:
    """Return a hash of the modules' sources."""
    found = blake2b(digest_size=8)
    for name in sorted(modules):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None and (path := Path(file)).is_file():
            found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def checked_name(what: str, name: str) -> str:
    """Return a name that may stand in an address, or raise."""
    if not _NAME.fullmatch(name):
        raise Mistake(
            f"{name!r} is no name for a {what}",
            hint="It has 1 to 128 letters, digits, or _ - . : / after the first.",
        )
    return name


def declared_here() -> Site:
    """Return where the code stands that called into this package."""
    frame = caller_frame()
    if frame is None:
        return Site("", "", 0, "")
    return Site(
        module=str(frame.f_globals.get("__name__", "")),
        file=frame.f_code.co_filename,
        line=frame.f_lineno,
        shown=caller_line(),
        is_local=not is_importing(frame.f_globals),
    )


def defined_at(function: Callable[..., object]) -> Site:
    """Return where a function is defined."""
    code = getattr(function, "__code__", None)
    return Site(
        module=str(getattr(function, "__module__", "")),
        file=str(getattr(code, "co_filename", "")),
        line=int(getattr(code, "co_firstlineno", 0)),
        shown=line_of(function),
        is_local=not is_importing(getattr(function, "__globals__", {})),
    )


registry = Registry()
"""The registry of this process."""


def declared_task(name: str) -> Runnable:
    """Return a task. Snapshots call this by its name."""
    return _found(registry.tasks, "task", name)


def declared_stream(name: str) -> Stream:
    """Return a stream. Snapshots call this by its name."""
    return _found(registry.streams, "stream", name)


def _found(known: Mapping[str, T], what: str, name: str) -> T:
    found = known.get(name)
    if found is None:
        raise Mistake(f"there is no {what} {name!r} here", hint="Import the module that has it.")
    return found
