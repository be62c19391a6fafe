"""Iterators that are under way, and views: each goes on where it was, over the same object.

Must never know: hooks, files. What pickle does well by itself (lists, tuples, ranges, sets,
`enumerate`, `zip`, `map`, `filter`) is left to it.
"""

from __future__ import annotations

import ast
import gc
import itertools
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Final, cast

from headrace.frames.values_errors import Refused
from headrace.frames.values_own import Own, Reduction

_VIEWS: Final = ("keys", "values", "items")
_DICT: Final[dict[Any, Any]] = {}
_ODICT: Final[OrderedDict[Any, Any]] = OrderedDict()
_AHEAD: Final[dict[Any, str]] = {type(iter(getattr(_DICT, name)())): name for name in _VIEWS}
_BACK: Final[dict[Any, str]] = {type(reversed(getattr(_DICT, name)())): name for name in _VIEWS}
_LOOKS: Final[dict[Any, str]] = {
    type(getattr(it, name)()): name for name in _VIEWS for it in (_DICT, _ODICT)
}
_ITERTOOLS: Final[list[Any]] = [
    it for it in vars(itertools).values() if isinstance(it, type) and it.__module__ == "itertools"
]


def _mapping_in(obj: object) -> Any:
    """Return the mapping that an iterator or a view looks at, or None at an iterator's end."""
    seen: list[Any] = gc.get_referents(obj)
    return next((cast("Any", it) for it in seen if isinstance(it, dict)), None)


def view(it: Any, _: Own) -> Reduction:
    return (_view, (_mapping_in(it), _LOOKS[type(it)]))


def _view(mapping: dict[Any, Any], name: str) -> object:
    owner = OrderedDict if isinstance(mapping, OrderedDict) else dict
    return getattr(owner, name)(mapping)


def proxy(it: MappingProxyType[Any, Any], _: Own) -> Reduction:
    (mapping,) = gc.get_referents(it)
    return (MappingProxyType, (mapping,))


def over_dict(it: Any, _: Own) -> Reduction:
    """As the dict and how many were taken: what is put under its keys later is seen, as ever."""
    mapping = _mapping_in(it)
    if mapping is None:
        return (iter, ((),))
    left = it.__length_hint__()
    if not left and _has_changed(it):
        return (_changed, ())
    name = _AHEAD.get(type(it)) or _BACK[type(it)]
    return (_over_dict, (mapping, name, len(mapping) - left, type(it) in _BACK))


def _has_changed(it: Any) -> bool:
    try:
        it.__reduce__()  # lists what is left, and so finds out
    except RuntimeError:
        return True
    return False


def _over_dict(mapping: dict[Any, Any], name: str, taken: int, back: bool) -> Iterator[Any]:  # noqa: FBT001
    looked = getattr(dict, name)(mapping)
    it: Iterator[Any] = reversed(looked) if back else iter(looked)
    next(itertools.islice(it, taken, taken), None)
    return it


def _changed() -> Iterator[Any]:
    """Return what raises at its next step that the dict has changed its size."""
    mapping: dict[int, int] = {}
    it = iter(mapping)
    mapping[0] = 0
    return it


def counter(it: Any, own: Own) -> Reduction:
    """`count` says in its text where it stands: the same on every version of Python."""
    try:
        return (itertools.count, ast.literal_eval(f"({repr(it)[6:-1]},)"))
    except (ValueError, SyntaxError):
        return tool(it, own)


def repeater(it: Any, _: Own) -> Reduction:
    element = gc.get_referents(it)[-1]
    try:
        return (itertools.repeat, (element, it.__length_hint__()))
    except TypeError:  # without end
        return (itertools.repeat, (element,))


def tool(it: Any, _: Own) -> Reduction:
    """As itertools says where it stands; newer versions of Python warn of that, or no longer do."""
    kind = cast("Any", type(it))
    if "__reduce__" not in vars(kind):
        raise Refused(
            "this version of Python does not tell where an iterator of itertools stands",
            "write it as a loop, or make a list of it",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        make, arguments, *state = it.__reduce__()
    return (_tool, (make, arguments, *state))


def _tool(make: Callable[..., Any], arguments: tuple[Any, ...], state: object = None) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        it = make(*arguments)
        if state is not None:
            it.__setstate__(state)
    return it


STEPS: Final[dict[type, Callable[[Any, Own], Any]]] = (
    dict.fromkeys(_ITERTOOLS, tool)
    | dict.fromkeys((*_AHEAD, *_BACK), over_dict)
    | dict.fromkeys(_LOOKS, view)
    | {itertools.count: counter, itertools.repeat: repeater, MappingProxyType: proxy}
)
