"""Imports a worker's FILE, under its stem, its folder first on `sys.path`.

The async functions of FILE, and of the modules in its folder, can be saved while they wait: they
are compiled anew when they are imported.
Owns: what that means, and how a failure is shown. Must never know: tasks.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path, PurePath
from types import ModuleType, TracebackType
from typing import Final

from headrace import frames
from headrace.errors import Mistake, NotFound

OURS: Final = __name__.partition(".")[0]
INSTALLED: Final = frozenset({"site-packages", "dist-packages"})
"""Folders of what others wrote."""


class CannotImport(Mistake):
    """The file cannot be imported; `trace` shows where, from the file itself on."""

    code = "cannot_import"

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message)
        self.trace = trace


def load(path: Path) -> ModuleType:
    """Import the file."""
    file = path.absolute()
    if not file.is_file():
        raise NotFound(f"there is no file {path}")
    if file.suffix != ".py" or not file.stem.isidentifier():
        raise Mistake(f"{path} cannot be imported: its name is no module's")
    sys.path.insert(0, str(file.parent))
    known = sys.modules.get(file.stem)
    if known is not None:
        where = getattr(known, "__file__", None) or "built in"
        raise Mistake(
            f"{path} would be imported as {file.stem!r}, which is taken: {where}",
            hint="Give the file another name.",
        )
    frames.install(_beside(file))
    spec = _spec(file)
    if spec is None or spec.loader is None:
        raise Mistake(f"{path} cannot be imported")
    module = sys.modules[file.stem] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[file.stem]
        raise CannotImport(_message(path, error), _trace(error, file)) from error
    return module


def _beside(file: Path) -> Callable[[str, str], bool]:
    """Tell of each module whether it is the user's own: FILE, or in FILE's folder."""
    folder = PurePath(file.parent)  # as it stands on `sys.path`; no file system is asked

    def is_own(name: str, path: str) -> bool:
        place = PurePath(path)
        if name.partition(".")[0] == OURS or folder not in place.parents:
            return False
        return INSTALLED.isdisjoint(place.relative_to(folder).parts)

    return is_own


def _spec(file: Path) -> ModuleSpec | None:
    """Return how FILE is imported, by way of whoever compiles it anew."""
    found = find_spec(file.stem)
    if found is not None and found.origin is not None and Path(found.origin) == file:
        return found
    return spec_from_file_location(file.stem, file)


def _message(path: Path, error: BaseException) -> str:
    return f"{path} cannot be imported: {type(error).__name__}: {error}"


def _trace(error: BaseException, file: Path) -> str:
    """Show the error without what called the file: that is ours, and of no concern."""
    where: TracebackType | None = error.__traceback__
    while where is not None and where.tb_frame.f_code.co_filename != str(file):
        where = where.tb_next
    return "".join(traceback.TracebackException(type(error), error, where).format())
