"""What a snapshot stands on, and what this process has to put it on: functions, in words.

Owns: how a function is named there, and how many are told. Must never know: what a snapshot holds.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Final

from headrace import frames
from headrace.kernel.model import Footing, Function
from headrace.wire.channel import FOOTING_AT_MOST, FUNCTION_NAME_AT_MOST, FUNCTIONS_AT_MOST

PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


def footing_of(saved: frames.Saved, *, keeps: bool = False) -> Footing | None:
    """Return what a snapshot stands on; nothing where that would be too long a story.

    `keeps` says that the source of its functions is saved with it.
    """
    refs = [one.ref for one in saved.frames]
    told = {_name(ref.module, ref.qualname, ref.nth): ref.fingerprint for ref in refs}
    if len(told) > FOOTING_AT_MOST or any(len(name) > FUNCTION_NAME_AT_MOST for name in told):
        return None
    functions = tuple(Function(name, fingerprint) for name, fingerprint in told.items())
    return Footing(PYTHON, functions, keeps)


def functions_here(first: Collection[str]) -> dict[str, str]:
    """Return the fingerprints of this process's functions, those of the modules `first` first."""
    found = sorted(frames.fingerprints().items(), key=lambda one: (one[0][0] not in first, one))
    named = ((_name(*place), fingerprint) for place, fingerprint in found)
    short = [one for one in named if len(one[0]) <= FUNCTION_NAME_AT_MOST]
    return dict(short[:FUNCTIONS_AT_MOST])


def _name(module: str, qualname: str, nth: int) -> str:
    """Name a function; `nth` counts those of the same name before it."""
    return f"{module}:{qualname}" + (f"#{nth + 1}" if nth > 0 else "")
