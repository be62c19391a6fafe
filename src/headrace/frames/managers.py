"""Lowers `with` and `async with` to the `try` that they are, with the same lines.

Owns: when a context manager is entered and left. Must never know: how a `try` is lowered.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from headrace.frames.awaits import Expression
from headrace.frames.crossing import noted, redone
from headrace.frames.lowering import Lowering
from headrace.frames.nodes import (
    assign,
    assign_to,
    at,
    block,
    branch,
    call,
    clear,
    constant,
    handler,
    here,
    load,
    negated,
    runtime,
    skipping,
    until,
)
from headrace.frames.sites import Step, any_site, assembled
from headrace.frames.trying import again, forgotten, gone, guarded_by_gone, past, settled


def managed(lowering: Lowering, node: ast.With | ast.AsyncWith) -> list[Step]:
    """Lower a `with`, its first manager around the others."""
    first, *rest = node.items
    body = node.body
    if rest:
        body = block([here(first.context_expr, type(node)(rest, node.body))])
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
    since = lowering.count
    entered = assembled(lowering.steps([here(first.context_expr, made.entered())]))
    steps.append(lowering.step([*entered, assign(made.fine, constant(True))], since))
    steps += _block(lowering, made, first, body)
    return [*steps, Step(clear([manager]))]


@dataclass(frozen=True, slots=True)
class _Managed:
    """A context manager: where it is held, what it gave, and whether its body went well so far."""

    manager: str
    value: str
    fine: str
    waits: bool

    def entered(self) -> ast.stmt:
        """Enter it."""
        way = runtime("aenters" if self.waits else "enters", load(self.manager))
        return assign(self.value, self._awaited(call(way)))

    def taken(self, target: ast.expr | None) -> list[ast.stmt]:
        """Put what it gave where it belongs."""
        taken: list[ast.stmt] = [assign_to(target, load(self.value))] if target else []
        return [*taken, *clear([self.value])]

    def failed(self, error: str) -> list[ast.stmt]:
        """Leave it with an error, which it may swallow."""
        told = ast.Starred(runtime("told", load(error)), ast.Load())
        swallowed = self._left(told)
        return [assign(self.fine, constant(False)), branch(negated(swallowed), [ast.Raise()])]

    def ended(self) -> list[ast.stmt]:
        """Leave it without one."""
        left = self._left(constant(None), constant(None), constant(None))
        return [branch(load(self.fine), [ast.Expr(left)])]

    def _left(self, *arguments: ast.expr) -> ast.expr:
        way = runtime("aexits" if self.waits else "exits", load(self.manager))
        return self._awaited(call(way, *arguments))

    def _awaited(self, value: ast.expr) -> ast.expr:
        return ast.Await(value) if self.waits else value


def _block(
    lowering: Lowering, made: _Managed, item: ast.withitem, body: list[ast.stmt]
) -> list[Step]:
    """Lower the body, and both ways out, as one `try`.

    The `finally` only waits when the body went well, so no error need be noted for it; and while
    the handler waits, the body did not, so the `finally` does nothing if the frame is put away.
    """
    act, value = lowering.temp("act"), lowering.temp("val")
    body, crossed = noted(body, act, value) if made.waits else (body, set[str]())
    since, written = lowering.count, lowering.written()
    inner = [
        *lowering.block([*made.taken(item.optional_vars), *body]),
        *clear([act] if crossed else []),
    ]
    middle, dirty = lowering.count, lowering.dirty(written)
    error = lowering.temp("err")
    handled = _handler(lowering, made, error, dirty)
    last = lowering.count
    ended = lowering.block([here(item.context_expr, each) for each in made.ended()])
    if lowering.count > middle:
        ways = redone(act, value, error, crossed)[1:]
        enter = [branch(until(last), [again(error)]), *ways]
        inner = block([branch(past(middle), enter, inner)])
    finish = guarded_by_gone(ended, [], ended[0])
    one_try = at(item.context_expr, ast.Try(inner, [gone(lowering), handled], [], finish))
    first = [Step(clear([act, value]))] if crossed else []
    return [*first, lowering.step([one_try], since)]


def _handler(lowering: Lowering, made: _Managed, error: str, dirty: list[str]) -> ast.ExceptHandler:
    caught = load("@x")
    head: list[ast.stmt] = [assign(error, caught)]
    failed = made.failed(error)
    if made.waits:
        head.append(branch(skipping(), [ast.Expr(settled(caught))]))
        failed = lowering.block(failed)
    body = [*forgotten(dirty), *head, *failed, *clear([error])]
    return handler(load("BaseException"), "@x", body)
