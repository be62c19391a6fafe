"""A program's text becomes a module: as it is, with the decorator, or by the import hook."""

from __future__ import annotations

import importlib
import linecache
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final, Literal

from headrace import frames
from tests.frames.fuzz.world import MAKER

PREFIX: Final = "written_by_chance_"
Way = Literal["native", "decorator", "hook"]


class Shelf:
    """A folder of programs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._hooked = False

    @contextmanager
    def modules(self, text: str, way: Way) -> Generator[tuple[ModuleType, ModuleType]]:
        """Have a program as it is, and made resumable; forget it after that."""
        self._count += 1
        name = f"{PREFIX}{self._count}"
        path = self._folder / f"{name}.py"
        path.write_text(text, "utf-8")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield self._native(f"{name}_native", path), self._made(name, path, way)
        finally:
            sys.modules.pop(name, None)
            linecache.cache.pop(str(path), None)
            path.unlink()

    def _made(self, name: str, path: Path, way: Way) -> ModuleType:
        if way == "hook":
            return self._hook(name)
        MAKER.make = frames.resumable
        try:
            module = _loaded(name, path)
        finally:
            MAKER.make = None
        # What is decorated while the program runs.
        module.__dict__["resumable"] = frames.resumable
        return module

    def _native(self, name: str, path: Path) -> ModuleType:
        module = _loaded(name, path)
        del sys.modules[name]
        return module

    def _hook(self, name: str) -> ModuleType:
        if not self._hooked:
            sys.path.insert(0, str(self._folder))
            frames.install(lambda name, _: name.startswith(PREFIX))
            self._hooked = True
        importlib.invalidate_caches()
        return importlib.import_module(name)


def _loaded(name: str, path: Path) -> ModuleType:
    spec = spec_from_file_location(name, path, loader=SourceFileLoader(name, str(path)))
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
