"""Turns a comprehension that waits into an async function, which is what it is.

Owns: its loops, its result, its variables, and which of the enclosing function's it captures.
Must never know: how a function is lowered.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from headrace.frames.lowering import Nested
from headrace.frames.nodes import assign, assign_to, block, branch, call, here, load
from headrace.frames.scopes import Scope
from headrace.frames.sites import Comprehension, inner_parts

SOURCE: Final = ".0"
"""The parameter for the iterator, as the compiler calls it."""
OUT: Final = "@out"
NAMES: Final = {
    ast.ListComp: "<listcomp>",
    ast.SetComp: "<setcomp>",
    ast.DictComp: "<dictcomp>",
    ast.GeneratorExp: "<genexpr>",
}


def as_function(node: Comprehension, outer: Scope, nested: Nested) -> ast.AsyncFunctionDef:
    """Return the function that does what the comprehension does, already lowered."""
    scope = _scope(node, outer)
    body = [*_rebinding(node, outer), *_body(node)]
    arguments = ast.arguments(
        posonlyargs=[], args=[ast.arg(SOURCE)], kwonlyargs=[], kw_defaults=[], defaults=[]
    )
    function = ast.AsyncFunctionDef(NAMES[type(node)], arguments, body, [])
    if sys.version_info >= (3, 12):
        function.type_params = []
    outer.cells |= scope.captured & outer.own
    here(node, function)
    nested(function, scope)
    return function


def _body(node: Comprehension) -> list[ast.stmt]:
    match node:
        case ast.ListComp():
            return _collecting(node, ast.List([], ast.Load()), _added("append", node.elt))
        case ast.SetComp():
            return _collecting(node, call(load("set")), _added("add", node.elt))
        case ast.DictComp():
            target = ast.Subscript(load(OUT), load("@key"), ast.Store())
            pair = [assign("@key", node.key), assign("@value", node.value)]
            done = assign_to(target, load("@value"))
            return _collecting(node, ast.Dict([], []), [*pair, done])
        case ast.GeneratorExp():
            return _loops(node.generators, [ast.Expr(ast.Yield(node.elt))])


def _added(method: str, element: ast.expr) -> list[ast.stmt]:
    add = ast.Attribute(load(OUT), method, ast.Load())
    return [assign("@value", element), ast.Expr(call(add, load("@value")))]


def _collecting(node: Comprehension, empty: ast.expr, inner: Sequence[ast.stmt]) -> list[ast.stmt]:
    return [assign(OUT, empty), *_loops(node.generators, inner), ast.Return(load(OUT))]


def _loops(generators: list[ast.comprehension], inner: Sequence[ast.stmt]) -> list[ast.stmt]:
    body = list(inner)
    for n, one in reversed(list(enumerate(generators))):
        for test in reversed(one.ifs):
            body = block([branch(test, body)])
        loop = ast.AsyncFor if one.is_async else ast.For
        body = block([loop(one.target, one.iter if n else load(SOURCE), body, [])])
    return body


def _scope(node: Comprehension, outer: Scope) -> Scope:
    parts = list(inner_parts(node))
    bound = {outer.spelled(name) for one in node.generators for name in _stored(one.target)}
    named = {outer.spelled(name.id) for part in parts for name in _names(part)}
    around = (outer.own | outer.captured) - bound
    deeper = {
        outer.spelled(name.id)
        for part in parts
        for inner in ast.walk(part)
        if isinstance(
            inner, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
        )
        for name in _names(inner)
    }
    hidden = {SOURCE, OUT, "@key", "@value"}
    captured = named & around
    if "super" in named and "__class__" in outer.captured:
        captured.add("__class__")
    return Scope(
        parameters=frozenset({SOURCE}),
        own=bound | hidden,
        cells=deeper & bound,
        captured=frozenset(captured),
        owner=outer.owner,
        nested=True,
    )


def _names(node: ast.AST) -> Iterator[ast.Name]:
    return (each for each in ast.walk(node) if isinstance(each, ast.Name))


def _stored(target: ast.AST) -> Iterator[str]:
    return (name.id for name in _names(target) if isinstance(name.ctx, ast.Store))


def _rebinding(node: Comprehension, outer: Scope) -> Iterable[ast.stmt]:
    """Say whose the variables are that a walrus sets: never the comprehension's own."""
    rebound = {name for part in inner_parts(node) for name in _walrus(part)}
    around = outer.own | outer.captured
    outside = sorted(name for name in rebound if outer.spelled(name) in around)
    if outside:
        yield ast.Nonlocal(outside)
    if rebound.difference(outside):
        yield ast.Global(sorted(rebound.difference(outside)))


def _walrus(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.NamedExpr):
        yield node.target.id
    for child in ast.iter_child_nodes(node):
        yield from _walrus(child)
