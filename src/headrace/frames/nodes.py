"""Makes the pieces of syntax trees that the transformation adds, and puts them in their place.

Owns: the hidden names. Each holds an `@`: legal in a tree, impossible in a source, never mangled.
Must never know: what the pieces are for.
"""

from __future__ import annotations
import __future__

import ast
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar, cast

RESUME: Final = "@resume"
"""None in a run that goes its way; a `Ticket` while a function skips to where it was suspended."""
SITE: Final = "@site"
"""The number of the await that the function is at."""
CELLS: Final = "@cells"
"""A function nobody calls: its closure has the cells of the frame, for whoever saves it."""
GONE: Final = "@gone"
"""Whether the frame is being put away, so that no code of the user may run."""
PENDING: Final = "_@pending"
RUNTIME: Final = "_@frames"
"""The two names that a transformed function finds in the globals of its module."""

PLACE: Final = ("lineno", "col_offset", "end_lineno", "end_col_offset")
DONE: Final = "@placed"
PLACED: Final = (
    ast.expr,
    ast.stmt,
    ast.ExceptHandler,
    ast.arg,
    ast.keyword,
    ast.alias,
    ast.pattern,
)

FUTURES: Final = sum(
    getattr(__future__, name).compiler_flag
    for name in __future__.all_feature_names
    if name not in {"nested_scopes", "generators"}
)
"""The flags that a compiled function has of its file's `__future__` imports."""

N = TypeVar("N", bound=ast.AST)


def at(like: ast.AST, node: N) -> N:
    """Give every node that has no place yet that of `like`; what was looked at before is done."""
    if not hasattr(like, "lineno"):
        return node
    place = {name: getattr(like, name) for name in PLACE}
    waiting: list[ast.AST] = [node]
    while waiting:
        each = waiting.pop()
        own = each.__dict__
        if DONE in own:
            continue
        own[DONE] = True
        if isinstance(each, PLACED) and "lineno" not in own:
            own.update(place)
        for value in own.values():
            if isinstance(value, ast.AST):
                waiting.append(value)
            elif isinstance(value, list):
                waiting += [one for one in cast("list[object]", value) if isinstance(one, ast.AST)]
    return node


def here(like: ast.AST, node: N) -> N:
    """Give this node the place of `like`; what is in it is not done yet."""
    return ast.copy_location(node, like)


def load(name: str) -> ast.Name:
    """Read a variable."""
    return ast.Name(name, ast.Load())


def block(statements: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Be a block."""
    return list(statements)


def constant(value: str | bool | int | None) -> ast.Constant:  # noqa: FBT001 - it is a value
    """Be a constant."""
    return ast.Constant(value)


def assign(name: str, value: ast.expr) -> ast.Assign:
    """Set a variable."""
    return ast.Assign([ast.Name(name, ast.Store())], value)


def assign_to(target: ast.expr, value: ast.expr) -> ast.Assign:
    """Set whatever a target is."""
    return ast.Assign([target], value)


def clear(names: Iterable[str]) -> list[ast.stmt]:
    """Forget what hidden variables hold."""
    targets: list[ast.expr] = [ast.Name(name, ast.Store()) for name in dict.fromkeys(names)]
    return [ast.Assign(targets, constant(None))] if targets else []


def call(function: ast.expr, *arguments: ast.expr) -> ast.Call:
    """Call it."""
    return ast.Call(function, list(arguments), [])


def runtime(helper: str, *arguments: ast.expr) -> ast.Call:
    """Call a function of `runtime`."""
    return call(ast.Attribute(load(RUNTIME), helper, ast.Load()), *arguments)


def branch(test: ast.expr, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt] = ()) -> ast.If:
    """Be an `if`."""
    return ast.If(test, list(body) or [ast.Pass()], list(orelse))


def either(test: ast.expr, yes: ast.expr, no: ast.expr) -> ast.IfExp:
    """Be a conditional expression."""
    return ast.IfExp(test, yes, no)


def compare(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.Compare:
    """Compare two values."""
    return ast.Compare(left, [operator], [right])


def running() -> ast.expr:
    """Tell whether the function goes its way, rather than skipping to where it was suspended."""
    return compare(load(RESUME), ast.Is(), constant(None))


def skipping() -> ast.expr:
    """Tell whether the function skips to where it was suspended."""
    return compare(load(RESUME), ast.IsNot(), constant(None))


def until(last: int) -> ast.expr:
    """Tell whether it was suspended at a site up to `last`."""
    return compare(load(SITE), ast.LtE(), constant(last))


def within(first: int, last: int) -> ast.expr:
    """Tell whether it was suspended at one of these sites."""
    if first == last:
        return compare(load(SITE), ast.Eq(), constant(first))
    return ast.Compare(constant(first), [ast.LtE(), ast.LtE()], [load(SITE), constant(last)])


def both(*tests: ast.expr) -> ast.expr:
    """Tell whether all hold."""
    return ast.BoolOp(ast.And(), list(tests))


def any_of(*tests: ast.expr) -> ast.expr:
    """Tell whether one holds."""
    return ast.BoolOp(ast.Or(), list(tests))


def negated(test: ast.expr) -> ast.expr:
    """Tell whether it does not hold."""
    return ast.UnaryOp(ast.Not(), test)


def stepped(helper: str) -> ast.expr:
    """Call the ticket's method, while the function stops skipping: it is where it was."""
    forget = ast.NamedExpr(ast.Name(RESUME, ast.Store()), constant(None))
    return call(ast.Attribute(load(RESUME), helper, ast.Load()), forget)


def handler(kind: ast.expr, name: str | None, body: Sequence[ast.stmt]) -> ast.ExceptHandler:
    """Handle an exception."""
    return ast.ExceptHandler(kind, name, list(body))


def remembered(names: Iterable[str]) -> list[ast.stmt]:
    """Give variables what they held when the function was suspended."""
    done: list[ast.stmt] = []
    for name in names:
        value = ast.Subscript(load(RESUME), constant(name), ast.Load())
        known = compare(constant(name), ast.In(), load(RESUME))
        done.append(branch(known, [assign(name, value)], [ast.Delete([ast.Name(name, ast.Del())])]))
    return done
