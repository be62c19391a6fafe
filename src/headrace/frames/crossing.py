"""What leaves a `try` by `return`, `break` or `continue`, so that it can be done again.

Owns: noting it before it happens, and doing it again on the way into a `finally` that waits.
Must never know: how a `try` is lowered.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import cast

from headrace.frames.nodes import RESUME, assign, branch, call, compare, constant, here, load
from headrace.frames.sites import SCOPES


def noted(body: list[ast.stmt], act: str, value: str) -> tuple[list[ast.stmt], set[str]]:
    """Note every way out of the block before it is taken; return which ways there are."""
    noting = _Noting(act, value)
    return noting.block(body), noting.crossed


def redone(act: str, value: str, error: str, crossed: set[str]) -> list[ast.stmt]:
    """Do again what led out of the block; nothing where it just ended."""
    ways: dict[str, ast.stmt] = {
        "raise": ast.Raise(call(ast.Attribute(load(RESUME), "again", ast.Load()), load(error))),
        "return": ast.Return(load(value)),
        "end": ast.Return(),
        "break": ast.Break(),
        "continue": ast.Continue(),
    }
    return [
        branch(compare(load(act), ast.Eq(), constant(name)), [way])
        for name, way in ways.items()
        if name == "raise" or name in crossed
    ]


class _Noting(ast.NodeTransformer):
    def __init__(self, act: str, value: str) -> None:
        self.crossed = set[str]()
        self._act, self._value = act, value
        self._loops = 0

    def block(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for statement in body:
            done = self.visit(statement)
            found += cast("list[ast.stmt]", done if isinstance(done, list) else [done])
        return found

    def visit(self, node: ast.AST) -> object:
        if isinstance(node, SCOPES):
            return node
        return super().visit(node)

    def visit_Return(self, node: ast.Return) -> object:
        if node.value is None:
            return self._noted("end", node)
        first = assign(self._value, node.value)
        return [here(node, first), *self._noted("return", ast.Return(load(self._value)), node)]

    def visit_Break(self, node: ast.Break) -> object:
        return node if self._loops else self._noted("break", node)

    def visit_Continue(self, node: ast.Continue) -> object:
        return node if self._loops else self._noted("continue", node)

    def visit_For(self, node: ast.For) -> object:
        return self._loop(node)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> object:
        return self._loop(node)

    def visit_While(self, node: ast.While) -> object:
        return self._loop(node)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While) -> object:
        """A loop keeps what its body breaks off, but not what its `else` does."""
        self._loops += 1
        node.body = self.block(node.body)
        self._loops -= 1
        node.orelse = self.block(node.orelse)
        return node

    def _noted(self, way: str, node: ast.stmt, like: ast.stmt | None = None) -> list[ast.stmt]:
        self.crossed.add(way)
        like = like or node
        return [here(like, assign(self._act, constant(way))), here(like, node)]
