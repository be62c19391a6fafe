"""Functions that were made inside functions which are not transformed: a lambda of a plain helper.

Owns: finding their code by the function at the top that it is in. Must never know: transforming.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from types import CodeType, FunctionType
from typing import Final

from headrace.frames.errors import NotRestored
from headrace.frames.nodes import FUTURES
from headrace.frames.registry import FOREIGN, Ref, Unit, codes_in, digest_of
from headrace.frames.sources import Origin, Source, source_of

_units: Final[dict[int, tuple[CodeType, Unit | None]]] = {}


def code_today(ref: Ref) -> tuple[CodeType, str]:
    """Return the code that stands in that place now, and its hash."""
    host = _host(importlib.import_module(ref.module), ref.qualname)
    if host is None:
        raise NotRestored(f"{ref.qualname}() is not in {ref.module} any more")
    codes = list(codes_in(host))
    if ref.part >= len(codes):
        return host, ""
    return codes[ref.part], digest_of(codes[ref.part])


def ref_of(function: FunctionType) -> Ref | None:
    """Say in words which code a function has; None where another process would not find it."""
    host = _around(function)
    for index, each in enumerate(() if host is None else codes_in(host)):
        if host is not None and each is function.__code__:
            name = function.__globals__["__name__"]
            return Ref(name, host.co_qualname, FOREIGN, index, digest_of(each))
    return None


def unit_of(function: FunctionType) -> Unit | None:
    """Return what is known of the function that it was made in; None where the source is not."""
    host = _around(function)
    if host is None:
        return None
    if id(host) not in _units:
        _units[id(host)] = host, _unit(host, function)
    return _units[id(host)][1]


def _unit(host: CodeType, function: FunctionType) -> Unit | None:
    source = source_of(host.co_filename, function.__globals__)
    place = None if source is None else source.of_code(host)
    if source is None or place is None:
        return None
    origin, module = source.origin(place), function.__globals__["__name__"]
    unit = Unit(module, host.co_qualname, FOREIGN, "", tuple(codes_in(host)), origin)
    # The file may be another than when it was imported.
    flags = host.co_flags & FUTURES
    same = codes_of(Source(origin.padded, origin.file), host.co_qualname, origin, flags)
    return unit if list(map(digest_of, same)) == list(map(digest_of, unit.codes)) else None


def codes_of(source: Source, qualname: str, origin: Origin, flags: int) -> tuple[CodeType, ...]:
    """Compile a function that is not to be transformed, where its statement has it."""
    top = compile(source.tree, source.file, "exec", flags=flags, dont_inherit=True)
    for code in codes_in(top):
        if (code.co_qualname, code.co_firstlineno) == (qualname, origin.line):
            return tuple(codes_in(code))
    return ()


def _around(function: FunctionType) -> CodeType | None:
    name = function.__globals__.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    host_name, inside, _ = function.__code__.co_qualname.partition(".<locals>")
    return _host(module, host_name) if module is not None and inside else None


def _host(found: object, qualname: str) -> CodeType | None:
    """Return the code of the function of this qualified name, however it is decorated."""
    for part in qualname.split("."):
        found = inspect.getattr_static(found, part, None)
    while found is not None:
        if isinstance(found, FunctionType) and found.__code__.co_qualname == qualname:
            return found.__code__
        found = getattr(found, "__wrapped__", None) or getattr(found, "__func__", None)
    return None
