"""Which branch of a run's code asks: scopes, and the tasks that carry them.

A scope is a path of numbers: the n-th task that a task creates gets its creator's path and `n`, so
that interleaving cannot shift the keys of a branch. Owns: the loop's task factory, the live tasks
of a run. Must never know: the journal, or what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary, ref

from headrace.kernel.model import Key

Branch: TypeAlias = asyncio.Task[Any]
Body: TypeAlias = Coroutine[Any, Any, Any] | Generator[Any, None, Any]
_Factory: TypeAlias = Callable[..., asyncio.Future[Any]]

STEP: ContextVar[str | None] = ContextVar("headrace_step", default=None)
"""The step in which code runs; nothing in it may ask the journal."""
THREAD: ContextVar[Scope | None] = ContextVar("headrace_thread", default=None)
"""The scope in whose name a blocking task's thread asks."""


class Crew:
    """The live tasks of one run. `on_end` hears of each that ends."""

    __slots__ = ("bridges", "is_dismissed", "members", "on_end", "passed", "threads")

    def __init__(self, on_end: Callable[[], None]) -> None:
        self.members: dict[Branch, Scope] = {}
        self.threads = 0
        self.bridges: set[Branch] = set()
        """The members that ask for a thread, which stands still meanwhile."""
        self.is_dismissed = False
        self.passed: set[Key] = set()
        """Keys that no question gets: what had them was accepted to be asked no more."""
        self.on_end = on_end

    @property
    def is_single(self) -> bool:
        """Tell whether nobody but the asker is there to be told anything."""
        return len(self.members) == 1

    @property
    def computes(self) -> bool:
        """Tell whether a thread of the run is at work, and asks nothing."""
        return self.threads > len(self.bridges)

    def enlist(self, branch: Branch, scope: Scope, *, bridge: bool = False) -> None:
        """Count a task in until it ends."""
        self.members[branch] = scope
        if bridge:
            self.bridges.add(branch)
        branch.add_done_callback(self._ended)

    def others(self, branch: Branch | None) -> tuple[Branch, ...]:
        """List the live tasks but `branch`."""
        return tuple(task for task in self.members if task is not branch and not task.done())

    def forget(self) -> None:
        """Tell nobody of what ends."""
        self.on_end = _nothing

    def _ended(self, branch: Branch) -> None:
        self.members.pop(branch, None)
        self.bridges.discard(branch)
        if self.is_dismissed and not branch.cancelled():
            branch.exception()  # looked at, so that nobody complains that nobody did
        self.on_end()


def _nothing() -> None:
    """Say nothing."""


class Scope:
    """One branch's place, and how often it has asked under each name."""

    __slots__ = ("__weakref__", "asked", "children", "crew", "path")

    def __init__(self, crew: Crew, path: str = "") -> None:
        self.crew, self.path = crew, path
        self.asked: dict[str, int] = {}
        self.children = 0

    def number(self, name: str) -> int:
        """Count a question under `name`; return how many there were before, or were passed over."""
        count = self._next(name)
        self.asked[name] = count + 1
        return count

    def _next(self, name: str) -> int:
        count = self.asked.get(name, 0)
        while self.crew.passed and f"{self.path}{name}#{count}" in self.crew.passed:
            count += 1
        return count

    def upcoming(self, name: str) -> Key:
        """Return the key of the next question under `name`, and count nothing."""
        return Key(f"{self.path}{name}#{self._next(name)}")

    def key(self, name: str) -> Key:
        """Return the key of the next question under `name`."""
        return Key(f"{self.path}{name}#{self.number(name)}")

    def child(self) -> Scope:
        """Return the scope of the next task that this branch creates."""
        self.children += 1
        return Scope(self.crew, f"{self.path}{self.children}/")


# The crew alone keeps a scope, which knows the crew and so the task: kept here, a task that never
# ends would never be forgotten.
_scopes: WeakKeyDictionary[Branch, ref[Scope]] = WeakKeyDictionary()


def here() -> Scope | None:
    """Return the scope of the running task, if a run's code created it."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return THREAD.get()
    return None if task is None else _scope_of(task)


def _scope_of(task: Branch) -> Scope | None:
    known = _scopes.get(task)
    return None if known is None else known()


def spawn(body: Body, scope: Scope, context: Context | None = None) -> Branch:
    """Start a task of a run under a scope of its own, in this context or a copy of the present one.

    It belongs to no task group: a run falls and stands alone, and its crew holds the task.
    """
    branch: Branch = asyncio.Task(body, loop=asyncio.get_running_loop(), context=context)
    _adopt(branch, scope)
    return branch


def install(loop: asyncio.AbstractEventLoop) -> None:
    """Have the loop give a scope to every task that a run's code creates."""
    known = loop.get_task_factory()
    if not isinstance(known, _Scoping):
        loop.set_task_factory(_Scoping(known))


@contextmanager
def in_background() -> Generator[None]:
    """Leave the running task out while it only waits for its thread, which asks in its name.

    Else a blocking task whose thread stands in a wait would never count as idle.
    """
    branch, scope = asyncio.current_task(), here()
    if branch is None or scope is None or STEP.get() is not None:
        yield
        return
    scope.crew.members.pop(branch, None)
    scope.crew.threads += 1
    try:
        yield
    finally:
        scope.crew.threads -= 1
        scope.crew.members[branch] = scope


def _adopt(branch: Branch, scope: Scope, *, bridge: bool = False) -> None:
    _scopes[branch] = ref(scope)
    scope.crew.enlist(branch, scope, bridge=bridge)


class _Scoping:
    """A task factory on top of the loop's own."""

    def __init__(self, inner: _Factory | None) -> None:
        self._make: _Factory = inner or _plain

    def __call__(
        self, loop: asyncio.AbstractEventLoop, body: Body, **options: Any
    ) -> asyncio.Future[Any]:
        scope = _inherited(loop)
        if scope is not None:
            # A task's scope must be known before its code first runs.
            options.pop("eager_start", None)
        task = self._make(loop, body, **options)
        if scope is not None and isinstance(task, asyncio.Task):
            _adopt(task, scope, bridge=asyncio.current_task(loop) is None)
        return task


def _plain(loop: asyncio.AbstractEventLoop, body: Body, **options: Any) -> Branch:
    return asyncio.Task(body, loop=loop, **options)


def _inherited(loop: asyncio.AbstractEventLoop) -> Scope | None:
    """Return the scope of a task that is being created.

    What a thread asks, it asks in the name of the task that waits for it. What a step creates
    belongs to nobody: it is not created again when the step is replayed, so it must not count.
    """
    if STEP.get() is not None:
        return None
    creator = asyncio.current_task(loop)
    if creator is None:
        return THREAD.get()
    scope = _scope_of(creator)
    return None if scope is None else scope.child()
