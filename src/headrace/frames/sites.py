"""Where a function can be suspended, and how a block skips to the place where it was.

Owns: what counts as a site, and the guards between the steps of a block.
Must never know: how any statement is done.

Rule: a block is entered while skipping only if the site is in it. So its last step with a site
      needs no guard, and what follows that step always runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from headrace.frames.nodes import any_of, at, branch, running, until

SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True, slots=True)
class Step:
    """Some statements, and the sites in them: none where `last` is 0."""

    body: Sequence[ast.stmt]
    first: int = 0
    last: int = 0


def own_children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what belongs to the same function as the node."""
    if isinstance(node, SCOPES):
        yield from _outside(node)
    elif isinstance(node, COMPREHENSIONS):
        yield node.generators[0].iter
    else:
        yield from ast.iter_child_nodes(node)


def _outside(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef,
) -> Iterator[ast.AST]:
    """Yield what a nested function or class has evaluated where it stands."""
    if not isinstance(node, ast.Lambda):
        yield from node.decorator_list
    if isinstance(node, ast.ClassDef):
        yield from node.bases
        yield from node.keywords
    else:
        yield from node.args.defaults
        yield from (default for default in node.args.kw_defaults if default is not None)


def own_walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the node and all that belongs to the same function."""
    yield node
    for child in own_children(node):
        yield from own_walk(child)


def is_async_comprehension(node: ast.AST) -> bool:
    """Tell whether a comprehension waits, and so is a coroutine or an async generator."""
    if not isinstance(node, COMPREHENSIONS):
        return False
    if any(one.is_async for one in node.generators):
        return True
    return any(has_site(part) for part in inner_parts(node))


def inner_parts(node: Comprehension) -> Iterator[ast.AST]:
    """Yield what a comprehension evaluates in a scope of its own."""
    if isinstance(node, ast.DictComp):
        yield node.key
        yield node.value
    else:
        yield node.elt
    for n, one in enumerate(node.generators):
        yield one.target
        if n:
            yield one.iter
        yield from one.ifs


def is_site(node: ast.AST) -> bool:
    """Tell whether a function can be suspended at this very node."""
    if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith | ast.Yield):
        return True
    return is_async_comprehension(node)


def has_site(node: ast.AST) -> bool:
    """Tell whether a function can be suspended in this part of it."""
    return is_site(node) or any(has_site(child) for child in own_children(node))


def any_site(nodes: Sequence[ast.AST]) -> bool:
    """Tell whether a function can be suspended in one of these."""
    return any(has_site(node) for node in nodes)


def assembled(steps: Sequence[Step]) -> list[ast.stmt]:
    """Return the steps as one block that skips to the site it was suspended at."""
    ends = [n for n, step in enumerate(steps) if step.last]
    final = ends[-1] if ends else -1
    block: list[ast.stmt] = []
    plain: list[ast.stmt] = []
    for n, step in enumerate(steps):
        if not step.last and n < final:
            plain.extend(step.body)
            continue
        if plain:
            block.append(guarded(running(), plain))
            plain = []
        if step.last and n < final:
            block.append(guarded(any_of(running(), until(step.last)), step.body))
        else:
            block.extend(step.body)
    return block


def guarded(test: ast.expr, body: Sequence[ast.stmt]) -> ast.If:
    """Do it only if; the guard stands where its first statement does."""
    guard = branch(test, body)
    return at(body[0], guard) if hasattr(body[0], "lineno") else guard
