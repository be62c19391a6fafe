"""`install`: makes the async functions of chosen modules resumable as they are imported.

Owns: standing in for the loader of a module that has a source file.
Must never know: how a module is compiled, or what it is chosen for.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import CodeType, ModuleType

from headrace.frames.decorating import prepare
from headrace.frames.modules import Untransformed, compiled_module, leave_out, untransformed
from headrace.frames.sources import Source, imported

Select = Callable[[str, str], bool]
__all__ = ["Untransformed", "install", "untransformed"]


def install(select: Select) -> Callable[[], None]:
    """Transform every module that is imported from now on and that `select` wants.

    `select` is given the module's name and its file. Modules imported before stay as they are, and
    are listed by `untransformed` if wanted. Returns what takes the hook out again.
    """
    finder = _Finder(select)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and file.endswith(".py") and select(name, file) and not _is_made(module):
            leave_out(name, file, 1, "it was imported before; install the hook earlier")
    sys.meta_path.insert(0, finder)
    return lambda: sys.meta_path.remove(finder)


def _is_made(module: ModuleType) -> bool:
    return isinstance(getattr(module, "__loader__", None), _Loader)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, select: Select) -> None:
        self._select = select

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        spec = self._found(fullname, path, target)
        if spec is None or spec.origin is None or not self._select(fullname, spec.origin):
            return None
        if not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            leave_out(fullname, spec.origin, 1, "it has no source file")
            return None
        spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec

    def _found(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> importlib.machinery.ModuleSpec | None:
        """Ask the finders that come after this one."""
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
        return None


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles anew on every import: a cached file would not fill the registry."""

    def get_code(self, fullname: str) -> CodeType:
        text = self.get_source(fullname)
        source = Source(text or "", self.get_filename(fullname))
        imported(source)
        return compiled_module(source, fullname)

    def exec_module(self, module: ModuleType) -> None:
        prepare(vars(module))
        super().exec_module(module)
