"""Lowers `try`, which stays a native `try`: handlers, `else`, `finally`, and `except*`.

Owns: how a handler or a `finally` is entered again, and what keeps `Away` from the user's code.
Must never know: expressions, functions.

A handler is entered again by raising the exception that it handled, past the tests of its types.
A `finally` is entered again by doing again what led into it: what was raised, returned, broken off
or continued is noted on the way in.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from headrace.frames.crossing import noted, redone
from headrace.frames.lowering import Lowering
from headrace.frames.nodes import (
    GONE,
    RESUME,
    RUNTIME,
    assign,
    at,
    block,
    both,
    branch,
    call,
    clear,
    constant,
    either,
    handler,
    here,
    load,
    negated,
    remembered,
    running,
    skipping,
    until,
    within,
)
from headrace.frames.sites import Step, any_site

AWAY = "Away"


def attempt(lowering: Lowering, node: ast.Try) -> list[Step]:
    """Lower a `try`."""
    if not node.finalbody:
        return _handled(lowering, node)
    waits = any_site(node.finalbody)
    later = [one for handler in node.handlers for one in handler.body] + node.orelse
    if not waits and not any_site(later):
        return _handled(lowering, node)
    body: list[ast.stmt] = node.body
    if node.handlers:
        body = [here(node, ast.Try(node.body, node.handlers, node.orelse, []))]
    return (_finally_waits if waits else _finally)(lowering, body, node)


def _away(body: Sequence[ast.stmt] = ()) -> ast.ExceptHandler:
    """Let what puts the frame away pass before any code of the user."""
    kind = ast.Attribute(load(RUNTIME), AWAY, ast.Load())
    return handler(kind, None, [*body, ast.Raise()])


def gone(lowering: Lowering) -> ast.ExceptHandler:
    lowering.puts_away = True
    return _away([assign(GONE, constant(True))])


def _finally(lowering: Lowering, body: list[ast.stmt], node: ast.Try) -> list[Step]:
    """Lower a `try`/`finally` whose `finally` does not wait."""
    since, written = lowering.count, lowering.written()
    inner = lowering.block(body)
    finish = guarded_by_gone(node.finalbody, lowering.dirty(written), node.finalbody[0])
    return [lowering.step([ast.Try(inner, [gone(lowering)], [], finish)], since)]


def guarded_by_gone(body: list[ast.stmt], dirty: list[str], like: ast.stmt) -> list[ast.stmt]:
    """Do what is in a `finally`, unless the frame is being put away."""
    return [at(like, branch(negated(load(GONE)), [*forgotten(dirty), *body]))]


def _finally_waits(lowering: Lowering, body: list[ast.stmt], node: ast.Try) -> list[Step]:
    """Lower a `try`/`finally` whose `finally` waits."""
    act, value = lowering.temp("act"), lowering.temp("val")
    body, crossed = noted(body, act, value)
    since, written = lowering.count, lowering.written()
    inner = lowering.block(body)
    if crossed:
        inner += clear([act])
    middle, error = lowering.count, lowering.temp("err")
    dirty = [name for name in lowering.dirty(written) if name != error]
    finish = lowering.block(node.finalbody)
    told = load("@x")
    noting: list[ast.stmt] = [
        branch(skipping(), [ast.Expr(settled(told))]),
        assign(act, constant("raise")),
        assign(error, told),
        ast.Raise(),
    ]
    caught = handler(load("BaseException"), "@x", noting)
    entered = branch(past(middle), redone(act, value, error, crossed), inner)
    finished = guarded_by_gone([*finish, *clear([error, value])], dirty, node.finalbody[0])
    made = ast.Try([entered], [gone(lowering), caught], [], finished)
    return [Step(clear([act, value])), lowering.step([made], since)]


def past(last: int) -> ast.expr:
    """Tell whether it skips to a site after this one."""
    return both(skipping(), negated(until(last)))


def settled(error: ast.expr) -> ast.expr:
    """Undo what raising the exception again did to it."""
    return call(ast.Attribute(load(RESUME), "settle", ast.Load()), error)


def _handled(lowering: Lowering, node: ast.Try) -> list[Step]:
    """Lower a `try` whose `finally`, if it has one, comes after nothing but the body waited."""
    since, written = lowering.count, lowering.written()
    body = lowering.block(node.body)
    middle, dirty = lowering.count, lowering.dirty(written)
    error = lowering.temp("err") if any(any_site(one.body) for one in node.handlers) else ""
    for one in node.handlers:
        before = lowering.count
        one.body = _handler_body(lowering, one, error)
        one.type = _entered(one.type, before + 1, lowering.count) if error else one.type
        one.body = [*cleared(one, dirty), *one.body]
    last = lowering.count
    orelse = lowering.block(node.orelse)
    if lowering.count > middle:
        enter: list[ast.stmt] = [ast.Pass()]
        if error:
            enter = [branch(until(last), [again(error)])]
        body = block([branch(past(middle), enter, body)])
    if node.finalbody:
        finish = guarded_by_gone(node.finalbody, dirty, node.finalbody[0])
        made = ast.Try(body, [gone(lowering), *node.handlers], orelse, finish)
    else:
        made = ast.Try(body, [_away(), *node.handlers], orelse, [])
    return [lowering.step([made], since)]


def cleared(node: ast.ExceptHandler, names: list[str]) -> list[ast.stmt]:
    """Let go of what the body held, as unwinding does natively."""
    return [at(node.body[0], each) for each in forgotten(names)]


def forgotten(names: list[str]) -> list[ast.stmt]:
    return [branch(running(), clear(names))] if names else []


def again(error: str) -> ast.Raise:
    """Raise an exception that was handled when the function was suspended."""
    return ast.Raise(call(ast.Attribute(load(RESUME), "again", ast.Load()), load(error)))


def _entered(kind: ast.expr | None, first: int, last: int) -> ast.expr:
    """Return the type to test for: while skipping, everything or nothing."""
    nothing = ast.Tuple([], ast.Load())
    base = load("BaseException")
    skip = either(within(first, last), base, nothing) if last >= first else nothing
    return at(kind, either(running(), kind, skip)) if kind else either(running(), base, skip)


def _handler_body(lowering: Lowering, node: ast.ExceptHandler, error: str) -> list[ast.stmt]:
    if not any_site(node.body):
        return node.body
    first = node.body[0]
    body = lowering.block(node.body)
    named = node.name or "@x"
    entered: list[ast.stmt] = [ast.Expr(settled(load(named)))]
    if not named.startswith("@"):
        entered += remembered([lowering.scope.spelled(named)])
    node.name = named
    head: list[ast.stmt] = [assign(error, load(named)), branch(skipping(), entered)]
    return [at(first, each) for each in (*head, *body, *clear([error]))]
