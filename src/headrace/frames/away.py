"""`put_away`: drops a suspended coroutine without running any more of the user's code.

Owns: which generators and calls go with it. Must never know: how a frame lets `Gone` pass.

A generator that nobody holds any more is closed by the event loop, which would run its `finally`;
so those in the coroutine's variables are put away with it.
"""

from __future__ import annotations

import gc
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sized
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import MethodType
from typing import Any, Final, cast

from headrace.frames.capture import alive
from headrace.frames.errors import FramesError
from headrace.frames.registry import plan_of
from headrace.frames.runtime import Gone
from headrace.frames.suspended import (
    Coroutine,
    Generator,
    Owner,
    chain_of,
    is_coroutine,
    is_generator,
)

LOOKED_INTO: Final = (
    dict,
    list,
    tuple,
    set,
    deque,
    MethodType,
    AbstractAsyncContextManager,
    AbstractContextManager,
)
DEEP: Final = 4
SMALL: Final = 256
"""What has more items is only looked into by `save`, which looks into everything anyway."""


class NotPutAway(FramesError):
    """What the coroutine awaits, or a function that is not resumable, did not let it go."""


def put_away(coroutine: Coroutine) -> None:
    """Drop a suspended coroutine: no `finally`, `except` or `__exit__` of it runs, now or later."""
    if not coroutine.cr_suspended:
        coroutine.close()
        return
    with warnings.catch_warnings():
        # What is open in its variables is closed by nobody: it is opened again elsewhere.
        warnings.simplefilter("ignore", ResourceWarning)
        _let_go(coroutine)


def _let_go(coroutine: Coroutine) -> None:
    _drop_held(coroutine)
    # Nothing here may know its frame: from 3.12 on that leads back here even when it is done.
    _throw(coroutine)


def _drop_held(coroutine: Coroutine) -> None:
    chain, _ = chain_of(coroutine)
    awaited = {id(one.owner) for one in chain}
    held = [
        *_noted(coroutine),
        *(one for each in chain for one in _held(each.frame.f_locals.values())),
    ]
    for owner in held:
        if id(owner) not in awaited:
            _drop(owner)


def _noted(coroutine: Coroutine) -> Iterator[Owner]:
    for known in alive.pop(coroutine, ()):
        owner = known()
        if owner is not None:
            yield owner


def _held(values: Iterable[object], depth: int = 0) -> Iterator[Owner]:
    """Find what the variables hold themselves, or in a few plain containers."""
    for value in values:
        if is_generator(value) or is_coroutine(value):
            yield value
        elif depth < DEEP and _is_looked_into(value):
            yield from _held(_inside(value), depth + 1)


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return cast("dict[object, object]", value).values()
    if isinstance(value, list | tuple | set | deque):
        return cast("Iterable[object]", value)
    return [one for one in gc.get_referents(value) if not isinstance(one, type)]


def _drop(owner: Owner) -> None:
    if is_coroutine(owner):
        if not owner.cr_suspended and not owner.cr_running:
            owner.close()
    elif is_generator(owner):
        _drop_generator(owner)


def _drop_generator(owner: Generator) -> None:
    if plan_of(owner.ag_code) is None or owner.ag_frame is None or owner.ag_running:
        return
    frame = owner.ag_frame
    _drop_all(frame.f_locals.values())
    _ended(cast("Any", owner).athrow(Gone()))


def _drop_all(values: Iterable[object]) -> None:
    for owner in list(_held(values)):
        _drop(owner)


def _throw(coroutine: Coroutine) -> None:
    try:
        coroutine.throw(Gone())
    except Gone as gone:
        gone.__traceback__ = None  # an awaited thing that raises what it was given holds all frames
        return
    except StopIteration:
        raise NotPutAway(f"{coroutine.__qualname__}() came to its end instead") from None
    raise NotPutAway(f"{coroutine.__qualname__}() awaits something that holds on to it")


def _ended(step: Any) -> None:
    try:
        step.send(None)
    except (Gone, StopIteration, StopAsyncIteration) as end:
        end.__traceback__ = None


def _is_looked_into(value: object) -> bool:
    small = not isinstance(value, Sized) or len(value) <= SMALL
    return small and isinstance(value, LOOKED_INTO)
