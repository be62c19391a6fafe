"""Did user code run? Watches what is called while a coroutine is put away.

The frames themselves are entered (something must unwind them); what they must not do is call.
"""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

HERE: Final = Path(__file__).parent
USERS: Final = str(HERE / "cases")
LEAF: Final = str(HERE / "parking.py")
FRAMES: Final = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
ALLOWED: Final = frozenset({"throw"})


def effects_of(action: Callable[[], object]) -> list[str]:
    """Do it; return every call of, and by, user code meanwhile, and every ignored error."""
    found: list[str] = []

    def watch(frame: FrameType, event: str, arg: object) -> None:
        code = frame.f_code
        if not code.co_filename.startswith((USERS, LEAF)):
            return
        if event == "c_call" and code.co_filename.startswith(USERS):
            found.append(f"{code.co_qualname}:{frame.f_lineno} called {arg!r}")
        if event == "call" and not code.co_flags & FRAMES and code.co_name not in ALLOWED:
            found.append(f"{code.co_qualname} was called")

    gc.collect()  # what an earlier case left must not be taken for this one's
    before = sys.unraisablehook
    sys.unraisablehook = lambda wrong: found.append(f"ignored: {wrong.exc_value!r}")
    sys.setprofile(watch)
    try:
        action()
        gc.collect()
    finally:
        sys.setprofile(None)
        sys.unraisablehook = before
    return found
