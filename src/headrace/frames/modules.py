"""Compiles a whole module with every async function in it made resumable.

Owns: which functions of a module are units, and leaving out what cannot be done.
Must never know: how modules are imported.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Final, cast

from headrace.frames.errors import Unfit
from headrace.frames.functions import Functions
from headrace.frames.registry import Unit, codes_in, register
from headrace.frames.scopes import Function
from headrace.frames.sources import Place, Source, fingerprint_of


@dataclass(frozen=True, slots=True)
class Untransformed:
    """A function, or a whole module, that an import hook selected and could not make resumable."""

    name: str
    file: str
    line: int
    why: str


_left_out: Final[list[Untransformed]] = []


def untransformed() -> tuple[Untransformed, ...]:
    """Return what was selected and left as it is, and why, in the order it was met."""
    return tuple(_left_out)


def leave_out(name: str, file: str, line: int, why: str) -> None:
    """Say that something stays as it is."""
    _left_out.append(Untransformed(name, file, line, why))


def compiled_module(source: Source, module: str) -> CodeType:
    """Return the code of a module; its resumable functions are registered."""
    tree = ast.parse(source.text, source.file)
    functions = Functions(source.tables)
    places = {place.first_line: place for place in source.places if _is_outermost(place)}
    digests: dict[tuple[str, int], tuple[Place, str]] = {}
    for owner, body, at, node in list(_units(tree)):
        place = places[_first_line(node)]
        kept = copy.deepcopy(node)
        try:
            functions.lower(ast.Module([node], []), owner=owner)
        except Unfit as unfit:
            body[at] = kept
            why = f"{unfit.message}; {unfit.instead}"
            leave_out(f"{module}.{place.qualname}", source.file, unfit.line, why)
        else:
            digests[place.qualname, place.first_line] = place, fingerprint_of(kept)
    ast.fix_missing_locations(tree)
    code = compile(tree, source.file, "exec", dont_inherit=True)
    for each in codes_in(code):
        found = digests.get((each.co_qualname, each.co_firstlineno))
        if found is not None:
            place, digest = found
            codes, origin = tuple(codes_in(each)), source.origin(place)
            unit = Unit(module, place.qualname, place.nth, digest, codes, origin)
            register(unit, functions.made)
    return code


def _is_outermost(place: Place) -> bool:
    return all(isinstance(one, ast.ClassDef) for one in place.around)


def _first_line(node: Function) -> int:
    return node.decorator_list[0].lineno if node.decorator_list else node.lineno


def _units(node: ast.AST, owner: str = "") -> Iterator[tuple[str, list[ast.stmt], int, Function]]:
    """Yield every outermost function that is async or has one that is, and where it stands."""
    for body in _lists(node):
        for at, child in enumerate(body):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                if any(isinstance(one, ast.AsyncFunctionDef) for one in ast.walk(child)):
                    yield owner, cast("list[ast.stmt]", body), at, child
            elif not isinstance(child, ast.expr):
                inner = child.name if isinstance(child, ast.ClassDef) else owner
                yield from _units(child, inner)


def _lists(node: ast.AST) -> Iterator[list[ast.AST]]:
    for _, value in ast.iter_fields(node):
        if isinstance(value, list):
            found = cast("list[object]", value)
            if all(isinstance(one, ast.AST) for one in found):
                yield cast("list[ast.AST]", value)
