"""The parts of an expression in the order in which Python evaluates them.

Must never know: what is done with them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from headrace.frames.sites import COMPREHENSIONS


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a tree that holds an expression."""

    parent: ast.AST
    name: str
    index: int | None = None

    @property
    def holds(self) -> ast.expr:
        """The expression that is there."""
        found = getattr(self.parent, self.name)
        return cast("ast.expr", found if self.index is None else found[self.index])

    def put(self, expression: ast.expr) -> None:
        """Put another there."""
        if self.index is None:
            setattr(self.parent, self.name, expression)
        else:
            getattr(self.parent, self.name)[self.index] = expression

    @property
    def is_mapping(self) -> bool:
        """Tell whether it stands behind `**`."""
        if isinstance(self.parent, ast.keyword):
            return self.parent.arg is None
        if isinstance(self.parent, ast.Dict) and self.name == "values":
            return self.parent.keys[self.index or 0] is None
        return False


def slots_of(node: ast.AST) -> list[Slot]:
    """Return the places whose expressions are always evaluated, in their order."""
    match node:
        case ast.Dict():
            return list(_pairs(node))
        case ast.IfExp():
            return [Slot(node, "test")]
        case ast.BoolOp():
            return [Slot(node, "values", 0)]
        case ast.Compare():
            return [Slot(node, "left"), Slot(node, "comparators", 0)]
        case ast.Lambda():
            return defaults_of(node.args)
        case ast.NamedExpr():
            return [Slot(node, "value")]
        case _ if isinstance(node, COMPREHENSIONS):
            return [Slot(node.generators[0], "iter")]
        case _:
            return list(_fields(node))


def defaults_of(arguments: ast.arguments) -> list[Slot]:
    """Return the defaults of a function, which are evaluated where it stands."""
    plain = [Slot(arguments, "defaults", n) for n in range(len(arguments.defaults))]
    named = enumerate(arguments.kw_defaults)
    return plain + [Slot(arguments, "kw_defaults", n) for n, one in named if one is not None]


def _pairs(node: ast.Dict) -> Iterator[Slot]:
    for n, key in enumerate(node.keys):
        if key is not None:
            yield Slot(node, "keys", n)
        yield Slot(node, "values", n)


def _fields(node: ast.AST) -> Iterator[Slot]:
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.expr):
            yield Slot(node, name)
        elif isinstance(value, list):
            for n, one in enumerate(cast("list[object]", value)):
                if isinstance(one, ast.keyword):
                    yield Slot(one, "value")
                elif isinstance(one, ast.expr):
                    yield Slot(node, name, n)
