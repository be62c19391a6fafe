"""Lowers `if`, and the three loops.

Owns: which branch is entered, and what a loop goes on with, while a function skips.
Must never know: expressions, handlers, functions.

A `for` stays a native loop over an iterator that is held in a hidden variable. When it is resumed
in its body, a native loop goes over one dummy and then over that iterator, and the targets are set
to what they held.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from headrace.frames.awaits import Expression
from headrace.frames.comprehensions import SOURCE
from headrace.frames.lowering import Lowering
from headrace.frames.nodes import (
    any_of,
    assign,
    assign_to,
    both,
    branch,
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
    within,
)
from headrace.frames.sites import Step, any_site, has_site


def conditional(lowering: Lowering, node: ast.If) -> list[Step]:
    """Lower an `if`: while skipping, the site says which branch, not the test."""
    done = Expression(lowering, node.test)
    test = done.condition(node.test)
    since = lowering.count
    body = lowering.block(node.body)
    middle = lowering.count
    orelse = lowering.block(node.orelse)
    guard = _chosen(test, (since, middle, lowering.count))
    return [*done.steps, lowering.step([branch(guard, body, orelse)], since)]


def _chosen(test: ast.expr, sites: tuple[int, int, int]) -> ast.expr:
    """Return the test, or while skipping whether the first of two blocks has the site."""
    since, middle, last = sites
    if since == last:
        return test
    if middle == last:
        return any_of(skipping(), test)
    if since == middle:
        return both(running(), test)
    return either(running(), test, within(since + 1, middle))


def while_loop(lowering: Lowering, node: ast.While) -> list[Step]:
    """Lower a `while`."""
    if has_site(node.test):
        return _tested_within(lowering, node)
    since = lowering.count
    body = lowering.block(node.body)
    middle = lowering.count
    node.orelse = lowering.block(node.orelse)
    always = isinstance(node.test, ast.Constant) and node.test.value
    node.body = body or [ast.Pass()]
    if not always:
        node.test = _chosen(node.test, (since, middle, lowering.count))
    return [lowering.step([node], since)]


def _tested_within(lowering: Lowering, node: ast.While) -> list[Step]:
    """Put a test that waits at the head of the body, so that `else` still follows the loop."""
    again = lowering.temp("w")
    leave = branch(negated(load(again)), [ast.Continue()])
    test = assign(again, negated(negated(node.test)))
    loop = ast.While(load(again), [test, leave, *node.body], node.orelse)
    return [Step([assign(again, constant(True))]), *while_loop(lowering, loop)]


def for_loop(lowering: Lowering, node: ast.For) -> list[Step]:
    """Lower a `for`."""
    done = Expression(lowering, node.iter)
    source = done.lower(node.iter, stays=False)
    if not any_site(node.body) and not any_site(node.orelse):
        node.iter = source
        done.close(node)
        return done.finished()
    iterator = lowering.temp("it")
    done.into(iterator, source if _is_ready(source) else runtime("iterate", source))
    steps = done.finished(keep=[iterator])
    since = lowering.count
    body = lowering.block(node.body)
    middle = lowering.count
    orelse = lowering.block(node.orelse)
    again: ast.expr = runtime("again", load(iterator), _dummy(node.target))
    if middle == since:
        again = ast.Tuple([], ast.Load())
    elif lowering.count > middle:
        again = either(within(since + 1, middle), again, ast.Tuple([], ast.Load()))
    node.iter = either(running(), load(iterator), again)
    if middle > since:
        body = [*_targets_remembered(lowering, node), *body]
    node.body, node.orelse = body, orelse
    return [*steps, lowering.step([node], since), Step(clear([iterator]))]


def _is_ready(source: ast.expr) -> bool:
    return isinstance(source, ast.Name) and source.id == SOURCE


def _targets_remembered(lowering: Lowering, node: ast.For) -> list[ast.stmt]:
    """Set the targets to what they held, or keep them from being set while skipping."""
    names = list(_simple(node.target))
    scope = lowering.scope
    if None not in names and all(scope.spelled(name or "") in scope.own for name in names):
        spelled = sorted({scope.spelled(name) for name in names if name is not None})
        return [branch(skipping(), remembered(spelled))] if spelled else []
    target, item = node.target, lowering.temp("n")
    node.target = ast.Name(item, ast.Store())
    return [branch(running(), [assign_to(target, load(item)), *clear([item])])]


def _simple(target: ast.expr) -> Iterator[str | None]:
    """Yield the variables of a target; None for what is no variable."""
    match target:
        case ast.Name():
            yield target.id
        case ast.Tuple() | ast.List():
            for element in target.elts:
                yield from _simple(element)
        case ast.Starred():
            yield from _simple(target.value)
        case _:
            yield None


def _dummy(target: ast.expr) -> ast.expr:
    """Return something of the shape that the target unpacks."""
    if isinstance(target, ast.Tuple | ast.List) and None not in _simple(target):
        plain = [element for element in target.elts if not isinstance(element, ast.Starred)]
        return ast.Tuple([_dummy(element) for element in plain], ast.Load())
    return constant(None)


def async_for_loop(lowering: Lowering, node: ast.AsyncFor) -> list[Step]:
    """Lower an `async for` to a `while` that awaits the next item at its head."""
    done = Expression(lowering, node.iter)
    source = done.lower(node.iter, stays=False)
    iterator = lowering.temp("it")
    done.into(iterator, source if _is_ready(source) else runtime("aiterate", source))
    steps = done.finished(keep=[iterator])
    more, item = lowering.temp("w"), lowering.temp("n")
    head: list[ast.stmt] = [assign(item, ast.Await(runtime("following", load(iterator))))]
    over = handler(
        load("StopAsyncIteration"), None, [assign(more, constant(False)), ast.Continue()]
    )
    taken: list[ast.stmt] = [ast.Try(head, [over], [], []), assign_to(node.target, load(item))]
    loop = ast.While(load(more), [*taken, *clear([item]), *node.body], node.orelse)
    steps += [Step([assign(more, constant(True))]), *while_loop(lowering, loop)]
    return [*steps, Step(clear([iterator]))]
