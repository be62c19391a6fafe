"""Compiles a function anew where it stands in its file, with its lines, columns and names.

Owns: cutting the tree of a file down to one function and what it is nested in.
Must never know: function objects, snapshots.

An enclosing class stays a class, for names, `__class__` and private names. An enclosing function
becomes a shell whose parameters are the variables that the function captures.
"""

from __future__ import annotations
import __future__

import ast
import copy
import importlib
import sys
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Final

from headrace.frames.errors import NotRestored, NotResumable, Unfit
from headrace.frames.functions import Functions
from headrace.frames.nodes import FUTURES, at
from headrace.frames.registry import Unit, codes_in, known_unit, register
from headrace.frames.scopes import scope_of
from headrace.frames.sources import Place, Source, fingerprint_of, source_of

NO_SOURCE: Final = "its source cannot be found"
INSTEAD: Final = "write it in a file"


def compiled(
    source: Source, place: Place, module: str, flags: int, *, is_past: bool = False
) -> Unit:
    """Compile one function of a file, made resumable, and register it."""
    origin = source.origin(place)
    node = source.take(place)
    digest = fingerprint_of(node)
    functions = Functions(source.tables)
    nested = any(isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) for one in place.around)
    owner = next((one.name for one in reversed(place.around) if isinstance(one, ast.ClassDef)), "")
    captured = scope_of(place.node, source.tables, owner=owner, nested=nested).captured
    holder = ast.Module([node], [])
    try:
        functions.lower(holder, owner=owner, nested=nested)
    except Unfit as unfit:
        raise not_resumable(place.qualname, source.file, unfit) from None
    except RecursionError:
        message = "it is nested too deeply"
        raise NotResumable(message, place.qualname, source.file, place.node.lineno) from None
    tree = ast.fix_missing_locations(_within(node, place, sorted(captured)))
    top = compile(tree, source.file, "exec", flags=flags & FUTURES, dont_inherit=True)
    code = _found(top, place)
    unit = Unit(module, place.qualname, place.nth, digest, tuple(codes_in(code)), origin)
    register(unit, functions.made, is_past=is_past)
    return unit


def not_resumable(qualname: str, file: str, unfit: Unfit) -> NotResumable:
    """Say which function cannot be done."""
    return NotResumable(unfit.message, qualname, file, unfit.line, unfit.instead)


def unit_of(module: str, qualname: str, nth: int) -> Unit:
    """Return a unit by its name, importing its module or compiling it where need be."""
    known = known_unit(module, qualname, nth)
    if known is not None:
        return known
    try:
        found = sys.modules.get(module) or importlib.import_module(module)
    except Exception as error:
        raise NotRestored(f"module {module} cannot be imported: {error}") from error
    return known_unit(module, qualname, nth) or _from_source(found, qualname, nth)


def _from_source(module: ModuleType, qualname: str, nth: int) -> Unit:
    """Compile a function that nobody has made resumable in this process, as one in a function."""
    file = getattr(module, "__file__", None) or ""
    source = source_of(file, vars(module))
    place = source.of_name(qualname, nth) if source else None
    if source is None or place is None:
        raise NotRestored(f"{qualname}() is not in {module.__name__} any more")
    try:
        return compiled(source, place, module.__name__, flags_of(source))
    except NotResumable as error:
        raise NotRestored(str(error)) from error


def flags_of(source: Source) -> int:
    """Return the flags of the `__future__` imports of a file."""
    flags = 0
    for node in source.tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for name in node.names:
                flags |= getattr(__future__, name.name).compiler_flag
    return flags


def _within(node: ast.stmt, place: Place, captured: Sequence[str]) -> ast.Module:
    inner: ast.stmt = node
    shells = [n for n, one in enumerate(place.around) if not isinstance(one, ast.ClassDef)]
    outermost = shells[0] if shells else -1
    in_class = any(isinstance(one, ast.ClassDef) for one in place.around)
    names = [name for name in captured if not (in_class and name == "__class__")]
    for n, one in reversed(list(enumerate(place.around))):
        inner = at(one, _shell(one, inner, names if n == outermost else []))
    return ast.Module([inner], [])


def _shell(
    around: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, inner: ast.stmt, names: list[str]
) -> ast.stmt:
    shell: ast.ClassDef | ast.FunctionDef
    if isinstance(around, ast.ClassDef):
        shell = ast.ClassDef(around.name, [], [], [inner], [])
    else:
        parameters = [ast.arg(name) for name in names]
        arguments = ast.arguments([], parameters, None, [], [], None, [])
        shell = ast.FunctionDef(around.name, arguments, [inner], [])
    if sys.version_info >= (3, 12):
        shell.type_params = copy.deepcopy(around.type_params)
    return shell


def _found(top: CodeType, place: Place) -> CodeType:
    for code in codes_in(top):
        same = code.co_name == place.node.name and code.co_firstlineno == place.first_line
        if same and code.co_qualname == place.qualname:
            return code
    raise AssertionError(f"{place.qualname} was lost in its own compilation")
