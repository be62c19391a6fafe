"""Which variables a function has: its own, those that others capture, and those it captures.

Owns: reading them from the symbol tables of the whole source, as the compiler sees them.
Must never know: the transformation.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Tables: TypeAlias = Mapping[tuple[str, int], symtable.SymbolTable]


@dataclass(slots=True)
class Scope:
    """The variables of one function, in the spelling that the compiler gives them."""

    parameters: frozenset[str] = frozenset()
    own: set[str] = field(default_factory=set[str])
    """Every variable of the frame, parameters too."""
    cells: set[str] = field(default_factory=set[str])
    """Those of its own that a nested function captures."""
    captured: frozenset[str] = frozenset()
    """Those of enclosing functions."""
    owner: str = ""
    """The class whose private names are mangled here."""
    nested: bool = False
    """Whether the function is made by another, so that nobody finds it by its name."""

    def spelled(self, name: str) -> str:
        """Return a name as the compiler spells it."""
        owner = self.owner.lstrip("_")
        private = name.startswith("__") and not name.endswith("__") and "." not in name
        return f"_{owner}{name}" if owner and private else name

    def is_fast(self, name: str) -> bool:
        """Tell whether nobody but the frame itself can change this variable."""
        spelled = self.spelled(name)
        return spelled in self.own and spelled not in self.cells


def tables_of(source: str, file: str) -> Tables:
    """Return the symbol tables of all functions, by name and line."""
    top = symtable.symtable(source, file, "exec")
    return {
        (table.get_name(), table.get_lineno()): table
        for table in _all(top)
        if table.get_type() == "function"
    }


def _all(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _all(child)


def scope_of(node: Function, tables: Tables, *, owner: str, nested: bool) -> Scope:
    """Return the variables of a function as its source has them."""
    table = tables[node.name, node.lineno]
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_local()}
    return Scope(
        parameters=frozenset(
            symbol.get_name() for symbol in table.get_symbols() if symbol.is_parameter()
        ),
        own=own,
        cells={name for child in table.get_children() for name in _free(child)} & own,
        captured=frozenset(_free(table)),
        owner=owner,
        nested=nested,
    )


def _free(table: symtable.SymbolTable) -> set[str]:
    return {symbol.get_name() for symbol in table.get_symbols() if symbol.is_free()}
