"""What the values of frames and the frames themselves say to each other while both are saved.

Owns: the shapes of a reduction, `Held`, and the hooks that whoever walks the frames gives.
Must never know: any type of value, files, frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

Reduction: TypeAlias = tuple[Any, ...]
"""What `__reduce_ex__` returns: (callable, arguments, state, items, pairs, state setter)."""


@dataclass(frozen=True, slots=True)
class Held:
    """The loader has this object already, and finds it by this id; the id may be any plain data."""

    id: object


Hook: TypeAlias = Callable[[Any], "Held | Reduction | None"]
Own: TypeAlias = Mapping[type, Hook]
"""By exact type (cells, functions, async generators, coroutines): None means "not mine"."""

Reducer: TypeAlias = Callable[[Any, Own], Any]
"""Returns a reduction, a name, or `NotImplemented` where pickle's own way is right."""


def held(_: object) -> NoReturn:
    """Stand in a blob for what the loader has; each loader puts its own look-up in this place."""
    raise RuntimeError("only a Loader can look up what it holds")


def ask(own: Own, obj: object) -> Reduction | None:
    """Return what the hook for this type of object makes of it, if there is one."""
    hook = own.get(type(obj))
    answer = None if hook is None else hook(obj)
    return (held, (answer.id,)) if isinstance(answer, Held) else answer
