"""Which functions can be saved while they wait, and the waits to which they come back.

Owns: the way from a saved place to the stream, or pause, that it is about.
Must never know: what a snapshot holds.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from headrace import frames
from headrace.errors import Mistake
from headrace.sdk import waits
from headrace.sdk.answers import Pending
from headrace.sdk.awaited import Awaited
from headrace.sdk.codecs import Codec
from headrace.sdk.execution import SLEEP
from headrace.sdk.execution_question import Place
from headrace.sdk.registry import declared_stream

Function = Callable[..., Any]


def resumable(function: Function) -> tuple[Function, frames.Untransformed | None]:
    """Return an async function made resumable; or as it is, and why it cannot be."""
    inner = inspect.unwrap(function)
    if not inspect.iscoroutinefunction(inner) or frames.is_resumable(function):
        return function, None
    try:
        return frames.resumable(function), None
    except frames.NotResumable as error:
        why = "; ".join(filter(None, (error.message, error.instead)))
        name = f"{function.__module__}.{error.name}"
        return function, frames.Untransformed(name, error.file, error.line, why)
    except Exception as error:  # noqa: BLE001 - a bug there must not keep a module from loading
        why = f"a bug in headrace.frames: {type(error).__name__}: {error}"
        code = inner.__code__
        name = f"{function.__module__}.{code.co_qualname}"
        return function, frames.Untransformed(name, code.co_filename, code.co_firstlineno, why)


def wait_again(place: Place, kept: object, *, unwraps: bool) -> Awaited[Any]:
    """Make the wait at a place once more, with what it kept in the snapshot."""
    if place.name == SLEEP:
        return waits.again(place)
    if isinstance(kept, Codec):
        told = waits.for_token_again(place, kept)  # pyright: ignore[reportUnknownArgumentType] - of any type
        return told.unwrap() if unwraps else told
    stream = declared_stream(place.name.partition(":")[2])
    stands: Callable[[Place], Pending[Any]] | None = getattr(stream, "again", None)
    if stands is None:
        raise Mistake(f"the run waits on {place.name!r}, which is no input stream here")
    pending = stands(place)
    return pending.unwrap() if unwraps else pending
