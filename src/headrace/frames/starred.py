"""Lowers a `try` with `except*`. Must never know: how a group is split, or a `try` is lowered.

It stays native unless a handler waits; then it becomes one `except` around the handlers.
"""

from __future__ import annotations

import ast

from headrace.frames.lowering import Lowering
from headrace.frames.nodes import (
    any_of,
    assign,
    at,
    both,
    branch,
    call,
    compare,
    constant,
    either,
    handler,
    here,
    load,
    negated,
    runtime,
    skipping,
    until,
)
from headrace.frames.sites import Step, any_site
from headrace.frames.trying import attempt, cleared


def attempt_group(lowering: Lowering, node: ast.TryStar) -> list[Step]:
    """Lower a `try` with `except*`."""
    if node.finalbody:
        inner = here(node, ast.TryStar(node.body, node.handlers, node.orelse, []))
        return attempt(lowering, here(node, ast.Try([inner], [], [], node.finalbody)))
    if any(any_site(one.body) for one in node.handlers):
        caught = f"@g{lowering.depth()}"
        around = here(node.handlers[0], _around(lowering, node, caught))
        return attempt(lowering, here(node, ast.Try(node.body, [around], node.orelse, [])))
    return _native(lowering, node)


def _native(lowering: Lowering, node: ast.TryStar) -> list[Step]:
    since, written = lowering.count, lowering.written()
    node.body = lowering.block(node.body)
    middle = lowering.count
    dirty = lowering.dirty(written)
    for one in node.handlers:
        if one.type is not None:
            leaving = any_of(skipping(), runtime("leaving"))
            one.type = at(one.type, either(leaving, ast.Tuple([], ast.Load()), one.type))
        one.body = [*cleared(one, dirty), *one.body]
    node.orelse = lowering.block(node.orelse)
    if lowering.count > middle:
        enter = both(skipping(), negated(until(middle)))
        node.body = [branch(enter, [ast.Pass()], node.body)]
    return [lowering.step([node], since)]


def _around(lowering: Lowering, node: ast.TryStar, caught: str) -> ast.ExceptHandler:
    """Return the one handler that has them all."""
    parts, found = lowering.temp("parts"), lowering.temp("found")
    body: list[ast.stmt] = [assign(parts, runtime("parts", load(caught)))]
    for one in node.handlers:
        kinds = one.type or load("BaseException")
        some = compare(load(found), ast.IsNot(), constant(None))
        one_by_one = [
            assign(found, _asked(parts, "match", kinds)),
            branch(some, [_handled(one, parts, found)]),
        ]
        body += [here(one, each) for each in one_by_one]
    left = compare(load(found), ast.IsNot(), constant(None))
    body += [
        assign(found, _asked(parts, "outcome")),
        branch(left, [_raised(parts, found, [ast.Raise()])]),
    ]
    return handler(
        load("BaseException"),
        caught,
        [here(node, each) if not hasattr(each, "lineno") else each for each in body],
    )


def _asked(parts: str, method: str, *arguments: ast.expr) -> ast.Call:
    return call(ast.Attribute(load(parts), method, ast.Load()), *arguments)


def _raised(parts: str, found: str, body: list[ast.stmt], name: str = "@y") -> ast.Try:
    """Make an exception the one that is being handled, and do something then."""
    settled = ast.Expr(_asked(parts, "settled", load(name)))
    again = ast.Raise(_asked(parts, "raising", load(found)))
    return ast.Try([again], [handler(load("BaseException"), name, [settled, *body])], [], [])


def _handled(one: ast.ExceptHandler, parts: str, found: str) -> ast.Try:
    inner = _raised(parts, found, one.body, one.name or "@y")
    failed = ast.Expr(_asked(parts, "failed", load("@z")))
    return ast.Try([inner], [handler(load("BaseException"), "@z", [failed])], [], [])
