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
from headrace.frames.errors import Unfit
from headrace.frames.lowering import Lowering
from headrace.frames.nodes import (
    GONE,
    RESUME,
    RUNTIME,
    any_of,
    assign,
    at,
    both,
    branch,
    call,
    clear,
    constant,
    either,
    handler,
    load,
    negated,
    remembered,
    running,
    runtime,
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
    body: list[ast.stmt] = node.body
    if node.handlers:
        body = [at(node, type(node)(node.body, node.handlers, node.orelse, []))]
    if any_site(node.finalbody):
        return _finally_waits(lowering, body, node)
    return _finally(lowering, body, node)


def _away(body: Sequence[ast.stmt] = ()) -> ast.ExceptHandler:
    """Let what puts the frame away pass before any code of the user."""
    kind = ast.Attribute(load(RUNTIME), AWAY, ast.Load())
    return handler(kind, None, [*body, ast.Raise()])


def _gone(lowering: Lowering) -> ast.ExceptHandler:
    lowering.puts_away = True
    return _away([assign(GONE, constant(True))])


def _finally(lowering: Lowering, body: list[ast.stmt], node: ast.Try) -> list[Step]:
    """Lower a `try`/`finally` whose `finally` does not wait."""
    since, written = lowering.count, lowering.written()
    inner = lowering.block(body)
    finish = branch(negated(load(GONE)), [*clear(lowering.dirty(written)), *node.finalbody])
    made = ast.Try(inner, [_gone(lowering)], [], [at(node.finalbody[0], finish)])
    return [lowering.step([made], since)]


def _finally_waits(lowering: Lowering, body: list[ast.stmt], node: ast.Try) -> list[Step]:
    """Lower a `try`/`finally` whose `finally` waits."""
    act, value, error = lowering.temp("act"), lowering.temp("val"), lowering.temp("err")
    body, crossed = noted(body, act, value)
    since, written = lowering.count, lowering.written()
    inner = lowering.block(body)
    if crossed:
        inner += clear([act])
    middle = lowering.count
    dirty = lowering.dirty(written)
    finish = lowering.block(node.finalbody)
    again = redone(act, value, error, crossed)
    told = ast.Name("@x", ast.Load())
    noting: list[ast.stmt] = [
        branch(skipping(), [ast.Expr(_settled(told))]),
        assign(act, constant("raise")),
        assign(error, told),
        ast.Raise(),
    ]
    caught = handler(load("BaseException"), "@x", noting)
    final = ast.Try([*_forgotten(dirty), *finish], [], [], clear([error, value]))
    entered = branch(both(skipping(), negated(until(middle))), again, inner)
    finished = at(node.finalbody[0], branch(negated(load(GONE)), [final]))
    made = ast.Try([entered], [_gone(lowering), caught], [], [finished])
    return [Step(clear([act])), lowering.step([made], since)]


def _settled(error: ast.expr) -> ast.expr:
    """Undo what raising the exception again did to it."""
    return call(ast.Attribute(load(RESUME), "settle", ast.Load()), error)


def _handled(lowering: Lowering, node: ast.Try) -> list[Step]:
    """Lower a `try` without `finally`."""
    since, written = lowering.count, lowering.written()
    error = lowering.temp("err") if any(any_site(one.body) for one in node.handlers) else ""
    body = lowering.block(node.body)
    middle = lowering.count
    dirty = [name for name in lowering.dirty(written) if name != error]
    for one in node.handlers:
        before = lowering.count
        one.body = _handler_body(lowering, one, error)
        one.type = _entered(one.type, before + 1, lowering.count) if error else one.type
        one.body = [*_cleared(one, dirty), *one.body]
    last = lowering.count
    orelse = lowering.block(node.orelse)
    if lowering.count > middle:
        enter: list[ast.stmt] = [ast.Pass()]
        if error:
            enter = [branch(until(last), [_again(error)])]
        body = [branch(both(skipping(), negated(until(middle))), enter, body)]
    made = ast.Try(body, [_away(), *node.handlers], orelse, [])
    return [lowering.step([made], since)]


def _cleared(node: ast.ExceptHandler, names: list[str]) -> list[ast.stmt]:
    """Let go of what the body held, as unwinding does natively."""
    return [at(node.body[0], each) for each in _forgotten(names)]


def _forgotten(names: list[str]) -> list[ast.stmt]:
    return [branch(running(), clear(names))] if names else []


def _again(error: str) -> ast.Raise:
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
    entered: list[ast.stmt] = [ast.Expr(_settled(load(named)))]
    if not named.startswith("@"):
        entered += remembered([lowering.scope.spelled(node.name)])
    node.name = named
    kept = ast.Try(body, [], [], clear([error]))
    return [at(first, each) for each in (assign(error, load(named)), branch(skipping(), entered), kept)]


def attempt_group(lowering: Lowering, node: ast.AST) -> list[Step]:
    """Lower a `try` with `except*`, whose handlers cannot wait."""
    assert isinstance(node, ast.TryStar)
    for one in node.handlers:
        if any_site(one.body):
            raise Unfit(
                "an await in an `except*` block",
                one.lineno,
                "keep the group in a variable there, and await after the `try`",
            )
    if node.finalbody:
        return attempt(lowering, node)  # type: ignore[arg-type] # it has the same fields
    since, written = lowering.count, lowering.written()
    node.body = lowering.block(node.body)
    middle = lowering.count
    dirty = lowering.dirty(written)
    for one in node.handlers:
        assert one.type is not None
        leaving = any_of(skipping(), runtime("leaving"))
        one.type = at(one.type, either(leaving, ast.Tuple([], ast.Load()), one.type))
        one.body = [*_cleared(one, dirty), *one.body]
    node.orelse = lowering.block(node.orelse)
    if lowering.count > middle:
        enter = both(skipping(), negated(until(middle)))
        node.body = [branch(enter, [ast.Pass()], node.body)]
    return [lowering.step([node], since)]
