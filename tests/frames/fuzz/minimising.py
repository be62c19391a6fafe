"""A program that fails becomes a small one that fails in the same way."""

from __future__ import annotations

import ast
import copy
import time
from collections.abc import Callable, Iterator
from typing import Final, cast

BLOCKS: Final = ("body", "orelse", "finalbody", "handlers", "cases")
Fails = Callable[[str], str]
Change = Callable[[ast.AST], Iterator[Callable[[ast.AST], None]]]


def minimised(text: str, fails: Fails, *, seconds: float) -> str:
    """Take away what is not needed, for so long at the most."""
    wanted = fails(text)
    end = time.monotonic() + seconds
    tree = ast.parse(text)
    size = len(text) + 1
    while time.monotonic() < end and len(ast.unparse(tree)) < size:
        size = len(ast.unparse(tree))
        for change in (_without, _unwrapped, _without, _simpler):
            tree = _passed(tree, change, lambda one: _fails_so(one, fails, wanted), end)
    return ast.unparse(tree)


def _passed(
    tree: ast.Module, change: Change, fits: Callable[[ast.Module], bool], end: float
) -> ast.Module:
    """Try a change at every node; go on with what still fails, from where that was."""
    at = 0
    while time.monotonic() < end:
        nodes = list(ast.walk(tree))
        if at >= len(nodes):
            break
        for n, _ in enumerate(change(nodes[at])):
            smaller = _changed(tree, change, at, n)
            if fits(smaller):
                tree = smaller
                break
        else:
            at += 1
    return tree


def _changed(tree: ast.Module, change: Change, at: int, n: int) -> ast.Module:
    made = copy.deepcopy(tree)
    twin = list(ast.walk(made))[at]
    list(change(twin))[n](twin)
    return made


def _fails_so(tree: ast.Module, fails: Fails, wanted: str) -> bool:
    try:
        text = ast.unparse(ast.fix_missing_locations(tree))
        compile(text, "smaller", "exec")
    except (SyntaxError, ValueError, TypeError):
        return False
    return fails(text) == wanted


def _lists(node: ast.AST) -> Iterator[tuple[str, list[ast.AST]]]:
    for name in BLOCKS:
        block = getattr(node, name, None)
        if isinstance(block, list) and block:
            yield name, cast("list[ast.AST]", block)


def _without(node: ast.AST) -> Iterator[Callable[[ast.AST], None]]:
    """Take out halves of blocks, then single statements."""
    for name, block in _lists(node):
        sizes = [size for size in (len(block), len(block) // 2, 1) if size]
        for size in dict.fromkeys(sizes):
            for start in range(0, len(block), size):
                yield _removal(name, start, size)


def _removal(name: str, start: int, size: int) -> Callable[[ast.AST], None]:
    def remove(node: ast.AST) -> None:
        block = cast("list[ast.AST]", getattr(node, name))
        del block[start : start + size]
        if not block and name == "body" and not isinstance(node, ast.Module):
            block.append(ast.Pass())

    return remove


def _unwrapped(node: ast.AST) -> Iterator[Callable[[ast.AST], None]]:
    """Put a statement's block in the place of the statement."""
    for name, block in _lists(node):
        for at, inner in enumerate(block):
            if isinstance(inner, ast.stmt) and not isinstance(inner, _FUNCTIONS):
                for inside, _ in _lists(inner):
                    if inside in {"body", "orelse", "finalbody"}:
                        yield _unwrapping(name, at, inside)


_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _unwrapping(name: str, at: int, inside: str) -> Callable[[ast.AST], None]:
    def unwrap(node: ast.AST) -> None:
        block = cast("list[ast.AST]", getattr(node, name))
        block[at : at + 1] = getattr(block[at], inside)

    return unwrap


def _simpler(node: ast.AST) -> Iterator[Callable[[ast.AST], None]]:
    """Put a part of an expression, or a number, in the place of the expression."""
    if isinstance(node, ast.While):
        return  # its test ends it
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.expr) and not isinstance(value, ast.Constant | ast.Name):
            parts = [part for part in ast.walk(value) if isinstance(part, ast.expr)][1:12]
            for part in [ast.Constant(1), *parts]:
                yield _setting(name, None, part)
        if isinstance(value, list):
            for at, each in enumerate(cast("list[object]", value)):
                if isinstance(each, ast.expr) and not isinstance(each, ast.Constant):
                    yield _setting(name, at, ast.Constant(1))
                    yield _dropping(name, at)


def _setting(name: str, at: int | None, part: ast.expr) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        if at is None:
            setattr(node, name, copy.deepcopy(part))
        else:
            cast("list[ast.AST]", getattr(node, name))[at] = part

    return change


def _dropping(name: str, at: int) -> Callable[[ast.AST], None]:
    def drop(node: ast.AST) -> None:
        del cast("list[ast.AST]", getattr(node, name))[at]

    return drop
