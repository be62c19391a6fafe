"""What is saved by its name, and found again by it: functions, classes, modules, marks.

Must never know: hooks beyond asking them, files, any library.

A name is only trusted when it leads back to the very same object; what a decorator has hidden is
saved as the name of what hides it, and how many `__wrapped__` deep it lies.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from importlib import import_module
from operator import getitem
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final

from headrace.frames.values_errors import Refused
from headrace.frames.values_own import Own, Reduction, ask

_DEEPEST: Final = 32
_UNNAMED: Final = frozenset({type(None), type(...), type(NotImplemented)})


def find(module: str, path: str, depth: int = 0) -> object:
    """Return what a name leads to, `depth` wrappers deep."""
    found: object = import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    for _ in range(depth):
        found = _inside(found)
    return found


def function(fn: FunctionType, own: Own) -> Any:
    """By name; else as the hook wants; else not at all."""
    found = _by_path(fn)
    if found is None:
        found = _by_global(fn) or ask(own, fn)
    if found is None:
        raise Refused(
            "it is a function that no name leads to, so no other process can find it",
            "define it at the top of a module, or use functools.partial of one that is there",
        )
    return found


def _by_path(fn: FunctionType) -> Any:
    path = _mangled(fn.__qualname__)
    if "<" in path or fn.__module__ not in sys.modules:
        return None
    for depth, layer in enumerate(_layers(_reach(sys.modules[fn.__module__], path))):
        if layer is fn:
            plain = depth == 0 and path == fn.__qualname__
            return NotImplemented if plain else (find, (fn.__module__, path, depth))
    return None


def _by_global(fn: FunctionType) -> Reduction | None:
    """Find a lambda, or a function that has been given another name, in its own module."""
    name = fn.__globals__.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    return None if module is None or vars(module) is not fn.__globals__ else _in(module, fn)


def _in(module: ModuleType, obj: object) -> Reduction | None:
    for name, value in list(vars(module).items()):
        if value is obj:
            return (find, (module.__name__, name))
    return None


def _mangled(path: str) -> str:
    """Return a qualified name with private names (`C.__x`) as attributes are really called."""
    parts = path.split(".")
    for at in range(1, len(parts)):
        if parts[at].startswith("__") and not parts[at].endswith("__"):
            parts[at] = f"_{parts[at - 1].lstrip('_')}{parts[at]}"
    return ".".join(parts)


def _reach(found: object, path: str) -> object:
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def _inside(obj: object) -> object:
    inner = getattr(obj, "__wrapped__", None)
    return getattr(obj, "__func__", None) if inner is None else inner


def _layers(obj: object) -> Iterator[object]:
    for _ in range(_DEEPEST):
        if obj is None:
            return
        yield obj
        obj = _inside(obj)


def method(bound: MethodType, _: Own) -> Reduction:
    """By the name on its owner where that leads back; a method behind `super()` by its function."""
    owner, name = bound.__self__, getattr(bound.__func__, "__name__", "")
    try:
        found = getattr(owner, name, None)
    except Exception:  # noqa: BLE001 - a property of the user's that fails is no reason to fail
        found = None
    if isinstance(found, MethodType) and found.__func__ is bound.__func__:
        return (getattr, (owner, name))
    return (MethodType, (bound.__func__, owner))


def class_(cls: type, _: Own) -> Any:
    """By name; a generic Pydantic model that was given its types is made again from them."""
    module = sys.modules.get(cls.__module__)
    if cls in _UNNAMED or (module is not None and _reach(module, cls.__qualname__) is cls):
        return NotImplemented
    generic: dict[str, Any] = getattr(cls, "__pydantic_generic_metadata__", None) or {}
    if generic.get("origin") is not None:
        args = generic["args"]
        return (getitem, (generic["origin"], args[0] if len(args) == 1 else args))
    found = (module and _in(module, cls)) or _in(types, cls)
    if found is None:
        raise Refused(
            "its class is made inside a function, and cannot be found by name elsewhere",
            "define the class at the top of a module",
        )
    return found


def module(it: ModuleType, _: Own) -> Reduction:
    if sys.modules.get(it.__name__) is not it:
        raise Refused(
            "it is a module that is not, or no longer, imported under its name",
            "import it again after the wait",
        )
    return (import_module, (it.__name__,))


def mark(obj: object, _: Own) -> Any:
    """Save `MISSING = object()` of a module by name: `is` must hold again; others are made anew."""
    return _home(obj) or NotImplemented


def contextvar(var: object, _: Own) -> Reduction:
    found = _home(var)
    if found is None:
        raise Refused(
            "it is a ContextVar that no module has by name", "make it at the top of a module"
        )
    return found


_HOMES: Final[dict[int, tuple[object, Reduction]]] = {}  # holds the object: its id stays its own


def _home(obj: object) -> Reduction | None:
    known = _HOMES.get(id(obj))
    if known is not None and known[0] is obj:
        return known[1]
    modules = [it for it in list(sys.modules.values()) if type(it) is ModuleType]
    found = next((place for it in modules if (place := _in(it, obj))), None)
    if found is not None:
        _HOMES[id(obj)] = (obj, found)
    return found


def parent(it: super, _: Own) -> Reduction:
    """`super()` kept in a variable; asked for `__reduce_ex__` it would answer for its object."""
    cls = object.__getattribute__(it, "__thisclass__")
    return (super, (cls, object.__getattribute__(it, "__self__")))


NAMED: Final[dict[type, Callable[[Any, Own], Any]]] = {
    FunctionType: function,
    MethodType: method,
    ModuleType: module,
    object: mark,
    super: parent,
}
