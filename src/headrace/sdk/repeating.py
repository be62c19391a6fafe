"""Warns where a task is declared of what its replay would do in another way.

Owns: the warning, and whom it is addressed to. Must never know: which calls those are.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import warnings
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any, Final

from headrace.sdk.unrepeatable import Found, Module

CURE: Final = "move it into a function with @step, whose result is remembered"


class NotRepeatable(UserWarning):
    """A task calls something, outside a step, that gives something else when it is replayed."""


def warn_of(function: Callable[..., Any]) -> None:
    """Warn of each such call in the function of a task, at the call's own line."""
    inner = inspect.unwrap(function)
    if not isinstance(inner, FunctionType):
        return
    code, namespace = inner.__code__, inner.__globals__
    module = _module("".join(linecache.getlines(code.co_filename, namespace)))
    for found in () if module is None else module.found(code.co_name, code.co_firstlineno):
        warnings.warn_explicit(
            _said(found),
            NotRepeatable,
            code.co_filename,
            found.line,
            module=inner.__module__,
            registry=namespace.setdefault("__warningregistry__", {}),
        )


@lru_cache(maxsize=4)
def _module(text: str) -> Module | None:
    """Keep a few: a module's tasks come one after the other."""
    try:
        return Module(ast.parse(text)) if text else None
    except (SyntaxError, ValueError, RecursionError):
        return None  # what was imported has been written over since


def _said(found: Found) -> str:
    does = "writes the file again" if found.writes else "gives something else"
    return f"{found.call} in {found.function}(), outside a step, {does} on replay; {CURE}"
