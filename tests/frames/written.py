"""A module written by a test, run as Python runs it, transformed, and saved at every await.

Owns: writing, loading and driving it. Must never know: what is in it.
"""

from __future__ import annotations

import importlib.util
import itertools
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from headrace import frames
from tests.frames.parking import Coro, again, answered, started, token

HEAD: Final = "from tests.frames.parking import wait\nresumable = MAKE\nseen = []\n"
_numbers: Final = itertools.count()


def load(folder: Path, text: str, make: Callable[[Any], Any] = frames.resumable) -> ModuleType:
    """Write a module and import it; `resumable` in it is `make`."""
    name = f"written_{next(_numbers)}"
    path = folder / f"{name}.py"
    path.write_text(HEAD + textwrap.dedent(text), "utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    vars(module)["MAKE"] = make
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def outcome(module: ModuleType, name: str = "main", *, saved: bool = False) -> tuple[Any, ...]:
    """Run a function to its end; return what came of it, and what it did on the way."""
    coroutine: Coro = getattr(module, name)()
    try:
        at = started(coroutine)
        while True:
            if saved:
                coroutine = moved(coroutine)
                at = started(coroutine)
            at = answered(coroutine, at)
    except StopIteration as over:
        return "gave", repr(over.value), module.seen
    except Exception as error:  # noqa: BLE001 - it is what came of it
        return "raised", repr(error), module.seen


def moved(coroutine: Coro) -> Coro:
    """Save a coroutine, put it away, and make it again."""
    blob = bytes(frames.save(coroutine, token))
    frames.put_away(coroutine)
    return frames.restore(blob, again)


def same_everywhere(folder: Path, text: str) -> tuple[Any, ...]:
    """Run it the three ways, which must not differ; return what came of it."""
    native = outcome(load(folder, text, lambda function: function))
    assert outcome(load(folder, text)) == native
    module = load(folder, text)
    seen: list[Any] = module.seen
    got = outcome(module, saved=True)
    assert (got[:2], seen) == (native[:2], native[2])
    return native
