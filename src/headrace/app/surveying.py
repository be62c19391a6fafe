"""What of the user's code cannot be saved while it waits, or would not be replayed as it was.

Owns: saying each once. Must never know: who is told, and how.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from headrace import frames
from headrace.app.loading import load
from headrace.sdk.registry import registry
from headrace.sdk.repeating import NotRepeatable
from headrace.sdk.tasks import Task


class Left(Struct, frozen=True):
    """A function, or a module, that was left as it is: a run that waits in it stays in memory."""

    name: str
    file: str
    line: int
    why: str


class Warned(Struct, frozen=True):
    """A call in a task that would give something else on replay."""

    file: str
    line: int
    text: str


class Survey(Struct, frozen=True):
    """What there is to say of a file and of what it imports."""

    left: tuple[Left, ...]
    warned: tuple[Warned, ...]


def survey(file: Path) -> Survey:
    """Import the file, as a worker would, and look around."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load(file)
    warned = [
        Warned(one.filename, one.lineno, str(one.message))
        for one in caught
        if issubclass(one.category, NotRepeatable)
    ]
    return Survey(left_as_it_is(registry.tasks.values()), tuple(dict.fromkeys(warned)))


def left_as_it_is(tasks: Iterable[object]) -> tuple[Left, ...]:
    """Return what was left of these tasks, and beside them, each once."""
    refused = [one.not_resumable for one in tasks if isinstance(one, Task)]
    left = [one for one in (*refused, *frames.untransformed()) if one is not None]
    # A task that the import hook has left is refused once more where it is declared.
    once = {(one.name, one.file, one.line): one for one in reversed(left)}
    return tuple(
        Left(one.name, one.file, one.line, one.why)
        for one in sorted(once.values(), key=lambda one: (one.file, one.line, one.name))
    )
