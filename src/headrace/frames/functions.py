"""Makes one async function resumable: its body lowered, and a prelude that takes up a snapshot.

Owns: the prelude, the rules for each kind of statement, and the functions nested in the function.
Must never know: files, modules, code objects.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from headrace.frames import blocks, managers, matching, simple, starred, trying
from headrace.frames.errors import Unfit
from headrace.frames.lowering import Lowering, Rule
from headrace.frames.nesting import MOST, depth_of
from headrace.frames.nodes import (
    CELLS,
    GONE,
    PENDING,
    RESUME,
    SITE,
    assign,
    at,
    branch,
    clear,
    constant,
    either,
    handler,
    here,
    load,
    remembered,
    runtime,
    skipping,
)
from headrace.frames.scopes import Function, Scope, Tables, scope_of
from headrace.frames.sites import any_site, own_walk

MARK: Final = "@plan:"
RULES: Final[Mapping[type[ast.stmt], Rule]] = {
    ast.Expr: simple.expression,
    ast.Assign: simple.assigned,
    ast.AugAssign: simple.augmented,
    ast.AnnAssign: simple.annotated,
    ast.Return: simple.returned,
    ast.Raise: simple.raised,
    ast.Delete: simple.deleted,
    ast.Assert: simple.assertion,
    ast.FunctionDef: simple.defined,
    ast.AsyncFunctionDef: simple.defined,
    ast.ClassDef: simple.defined,
    ast.If: blocks.conditional,
    ast.While: blocks.while_loop,
    ast.For: blocks.for_loop,
    ast.AsyncFor: blocks.async_for_loop,
    ast.Try: trying.attempt,
    ast.TryStar: starred.attempt_group,
    ast.With: managers.managed,
    ast.AsyncWith: managers.managed,
    ast.Match: matching.matched,
}


@dataclass(frozen=True, slots=True)
class Made:
    """What is known of a function that was lowered."""

    names: tuple[str, ...]
    """Its own variables."""
    sites: tuple[tuple[str, ...], ...]
    """The hidden variables that are live at each site."""
    nested: bool


@dataclass(slots=True)
class Functions:
    """The functions of one unit, each on its way; `made` has them in the order of their marks."""

    tables: Tables
    made: list[Made] = field(default_factory=list[Made])

    def lower(self, node: ast.AST, *, owner: str = "", nested: bool = False) -> None:
        """Lower every async function in a tree, in place."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                self.lower(child, owner=child.name, nested=nested)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                self.lower(child, owner=owner, nested=True)
                if isinstance(child, ast.AsyncFunctionDef):
                    self.function(child, scope_of(child, self.tables, owner=owner, nested=nested))
            else:
                self.lower(child, owner=owner, nested=nested or isinstance(child, ast.Lambda))

    def function(self, node: ast.AsyncFunctionDef, scope: Scope) -> None:
        """Lower this function, in place; those nested in it have been."""
        has_sites = any_site(node.body)
        lowering = Lowering(scope, RULES, self.function)
        for statement in node.body if has_sites else ():
            _hide_own_names(statement)
        documented = isinstance(node.body[0], ast.Expr) and ast.get_docstring(node) is not None
        head = node.body[:1] if documented else []
        body = _let_go(lowering, lowering.block(node.body[len(head) :]))
        mark = f"{MARK}{len(self.made)}"
        if has_sites:
            body = [*_prelude(node, lowering, mark), *body]
        names = tuple(sorted(scope.own))
        self.made.append(Made(names, tuple(lowering.sites), scope.nested))
        node.body = head + body
        if has_sites and depth_of(body) > MOST:
            raise Unfit(
                "its blocks are nested too deeply",
                node.lineno,
                "move the inner blocks into a function of their own",
            )


LET_GO: Final = ("@it", "@err", "@cm", "@parts")


def _let_go(lowering: Lowering, body: list[ast.stmt]) -> list[ast.stmt]:
    """When an error leaves the function, let go of what natively goes with the stack.

    The traceback keeps the frame: a generator would not be closed, an error would hold itself.
    """
    held = [name for name in lowering.dirty(0) if name.startswith(LET_GO)]
    if not held:
        return body
    thrown = handler(load("BaseException"), None, [*clear(held), ast.Raise()])
    return [at(body[0], ast.Try(body, [thrown], [], []))]


def _prelude(node: Function, lowering: Lowering, mark: str) -> list[ast.stmt]:
    scope = lowering.scope
    seen = sorted(scope.cells)
    first: list[ast.stmt] = []
    if seen:
        parts: list[ast.expr] = [load(name) for name in seen]
        nobody = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        first.append(assign(CELLS, ast.Lambda(nobody, ast.Tuple(parts, ast.Load()))))
    cells = load(CELLS) if seen else constant(None)
    enter = runtime("enter", constant(mark), cells)
    first.append(assign(RESUME, either(load(PENDING), enter, constant(None))))
    hidden = dict.fromkeys(name for live in lowering.sites for name in live)
    taken = [*_taken(scope), *(_hidden(name) for name in (SITE, *hidden))]
    first.append(branch(skipping(), taken))
    if lowering.puts_away:
        first.append(assign(GONE, constant(False)))
    return [at(node, each) for each in first]


def _taken(scope: Scope) -> Iterator[ast.stmt]:
    """Take up the user's variables: parameters came as dummies, others are not bound yet."""
    for name in sorted(scope.own):
        (each,) = remembered([name])
        if name not in scope.parameters:
            cast("ast.If", each).orelse = []
        yield each


def _hidden(name: str) -> ast.stmt:
    return assign(
        name, ast.Call(ast.Attribute(load(RESUME), "get", ast.Load()), [constant(name)], [])
    )


class _OwnNames(ast.NodeTransformer):
    """Keeps hidden variables from `locals()` and its like."""

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            return node
        return super().visit(node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if not _looks_around(node):
            return node
        return here(node, runtime("visible", node))


def _looks_around(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"locals", "vars", "dir"}
        and not node.args
        and not node.keywords
    )


def _hide_own_names(statement: ast.stmt) -> None:
    if any(map(_looks_around, own_walk(statement))):
        _OwnNames().visit(statement)
