"""Lowers `with` and `async with` to the `try` that they are, with the same lines.

Owns: when a context manager is entered and left. Must never know: how a `try` is lowered.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from headrace.frames.awaits import Expression
from headrace.frames.lowering import Lowering
from headrace.frames.nodes import (
    assign,
    assign_to,
    at,
    branch,
    call,
    clear,
    constant,
    handler,
    load,
    negated,
    runtime,
)
from headrace.frames.sites import Step, any_site


def managed(lowering: Lowering, node: ast.With | ast.AsyncWith) -> list[Step]:
    """Lower a `with`, its first manager around the others."""
    first, *rest = node.items
    body = [at(first.context_expr, type(node)(rest, node.body))] if rest else node.body
    waits = isinstance(node, ast.AsyncWith)
    done = Expression(lowering, first.context_expr)
    if not waits and not any_site(body):
        first.context_expr = done.lower(first.context_expr, stays=True)
        done.close(node)
        return done.finished()
    manager = lowering.temp("cm")
    done.into(manager, done.lower(first.context_expr, stays=True))
    steps = done.finished(keep=[manager])
    made = _Managed(manager, lowering.temp("v"), lowering.temp("fine"), waits=waits)
    around = [*made.entered(), made.block(first.optional_vars, body)]
    steps += lowering.steps([at(first.context_expr, each) for each in around])
    return [*steps, Step(clear([manager]))]


@dataclass(frozen=True, slots=True)
class _Managed:
    """A context manager: where it is held, what it gave, and whether its body went well so far."""

    manager: str
    value: str
    fine: str
    waits: bool

    def entered(self) -> list[ast.stmt]:
        """Enter it."""
        way = runtime("aenters" if self.waits else "enters", load(self.manager))
        return [assign(self.value, self._awaited(call(way))), assign(self.fine, constant(True))]

    def block(self, target: ast.expr | None, body: list[ast.stmt]) -> ast.Try:
        """Do what is inside, and leave it."""
        error = self.fine.replace("fine", "e")
        taken = [assign_to(target, load(self.value))] if target else []
        told = ast.Starred(runtime("told", load(error)), ast.Load())
        swallowed = self._awaited(call(self._exit(), told))
        caught = [assign(self.fine, constant(False)), branch(negated(swallowed), [ast.Raise()])]
        nothing = [constant(None), constant(None), constant(None)]
        left = ast.Expr(self._awaited(call(self._exit(), *nothing)))
        return ast.Try(
            [*taken, *clear([self.value]), *body],
            [handler(load("BaseException"), error, caught)],
            [],
            [branch(load(self.fine), [left])],
        )

    def _exit(self) -> ast.expr:
        return runtime("aexits" if self.waits else "exits", load(self.manager))

    def _awaited(self, value: ast.expr) -> ast.expr:
        return ast.Await(value) if self.waits else value
