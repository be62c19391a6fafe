"""Which line of the user's code asks: for messages about runs whose code has changed.

Owns: the form `pkg/module.py:12`, the same on every machine.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePath
from types import FrameType
from typing import Any

_OWN = f"{__package__}."


def caller_frame() -> FrameType | None:
    """Return the innermost frame that is not of this package."""
    frame = inspect.currentframe()
    while frame is not None and _module(frame).startswith(_OWN):
        frame = frame.f_back
    return frame


def caller_line() -> str:
    """Return the line that called into this package, as `pkg/module.py:12`."""
    frame = caller_frame()
    return "" if frame is None else line_at(frame)


def line_at(frame: FrameType) -> str:
    """Return the line that a frame is at."""
    return f"{_file(frame)}:{frame.f_lineno}"


def is_importing(namespace: Mapping[str, Any]) -> bool:
    """Tell whether this is being called because a module is imported.

    That of `namespace`, or any other that the import system is loading: a test that makes a task
    in its own body is not, a factory that a module calls is.
    """
    frame = caller_frame()
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            spec: object = frame.f_globals.get("__spec__")
            if frame.f_globals is namespace or getattr(spec, "_initializing", False):
                return True
        frame = frame.f_back
    return False


def line_of(function: object) -> str:
    """Return the line on which a function is defined."""
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    if code is None:
        return ""
    module = str(getattr(function, "__module__", "") or "")
    return f"{_path(module, code.co_filename)}:{code.co_firstlineno}"


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _file(frame: FrameType) -> str:
    return _path(_module(frame), frame.f_code.co_filename)


@lru_cache(maxsize=1_024)
def _path(module: str, filename: str) -> str:
    # A file's path differs from machine to machine; its module's name does not.
    file = PurePath(filename)
    parents = module.split(".")[:-1] if file.stem != "__init__" else module.split(".")
    return "/".join([*parents, file.name])
