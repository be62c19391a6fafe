"""How a case says what it is, and which of four ways its functions are made resumable.

Owns: the registry, and the switch FRAMES_MODE (native, decorator, hook, kept: by the hook too, and
resumed with the sources that were saved).
Must never know: any construct, or how a case is run.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from headrace import frames

MODE: Final = os.environ.get("FRAMES_MODE", "native")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Refused:
    """A case that must be refused, and what the refusal must name."""

    naming: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One construct: what it is, the function that shows it, what must come of it."""

    name: str
    theme: str
    construct: str
    function: Callable[..., Awaitable[object]] | frames.NotResumable
    gives: object
    in_loop: bool


CASES: Final[dict[str, Case]] = {}


def resumable(function: F) -> F:
    """Be `headrace.frames.resumable`, or nothing where the hook does it, or nobody shall."""
    return frames.resumable(function) if MODE == "decorator" else function


def case(construct: str, *, gives: object, in_loop: bool = False) -> Callable[[F], F]:
    """Register the function as the case of `construct`."""

    def registered(function: F) -> F:
        theme = function.__module__.rpartition(".")[2]
        made: F | frames.NotResumable
        try:
            made = resumable(function)
        except frames.NotResumable as refusal:
            made = refusal
        name = function.__name__
        if name in CASES:
            raise ValueError(f"two cases are called {name}")
        CASES[name] = Case(name, theme, construct, made, gives, in_loop)
        return function if isinstance(made, frames.NotResumable) else made

    return registered
