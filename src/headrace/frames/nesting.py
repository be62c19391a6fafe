"""How deeply the blocks of a function are nested, as the compiler counts them.

Must never know: why. The compiler has a limit, which natively hardly anyone meets; at it, it raises
a SyntaxError, or in Python 3.12.1 ends the process. So who adds blocks must count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

MOST: Final = 19
"""One less than the compiler's own limit."""
Inner: TypeAlias = tuple[Sequence[ast.stmt], int]


def depth_of(body: Sequence[ast.stmt]) -> int:
    """Return how many blocks there are around the innermost statement."""
    return max((_depth(statement) for statement in body), default=0)


def _depth(statement: ast.stmt) -> int:
    return max((added + depth_of(body) for body, added in _inner(statement)), default=0)


def _inner(node: ast.stmt) -> Iterator[Inner]:
    """Yield the blocks of a statement, each with what it adds."""
    match node:
        case ast.For() | ast.AsyncFor() | ast.While():
            yield node.body, 1
            yield node.orelse, 0
        case ast.With() | ast.AsyncWith():
            yield node.body, len(node.items)
        case ast.Try() | ast.TryStar():
            yield from _tried(node)
        case ast.If():
            yield node.body, 0
            yield node.orelse, 0
        case ast.Match():
            for case in node.cases:
                yield case.body, 0
        case _:
            return


def _tried(node: ast.Try | ast.TryStar) -> Iterator[Inner]:
    around = int(bool(node.finalbody))
    yield node.body, around + bool(node.handlers)
    yield node.orelse, around
    for one in node.handlers:
        yield one.body, around + 2
    yield node.finalbody, 1
