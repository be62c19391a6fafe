"""The source file of a module: its tree, its symbol tables, and where each function is in it.

Owns: reading a file once, and finding a function by its code object or by its name.
Must never know: the transformation.
"""

from __future__ import annotations

import ast
import hashlib
import linecache
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import CodeType
from typing import Any, Final, TypeAlias

from headrace.frames.scopes import Function, Tables, tables_of

Around: TypeAlias = tuple[ast.ClassDef | Function, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A function in a source: its node, what it is nested in, and what it is called.

    `nth` counts the functions of the same qualified name before it.
    """

    node: Function
    around: Around
    qualname: str
    nth: int

    @property
    def first_line(self) -> int:
        """Return the first line as code objects have it: that of the first decorator."""
        return _first_line(self.node)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a function was compiled from, as it was then: the file may be another by now.

    `first` to `last` are the lines of the outermost statement that the function stands in; `line`
    is the function's own first.
    """

    text: str
    file: str
    first: int
    last: int
    line: int

    @property
    def statement(self) -> str:
        """Return the text of that statement."""
        return "\n".join(self.text.split("\n")[self.first - 1 : self.last])

    @property
    def padded(self) -> str:
        """Return it with all lines where they were."""
        return "\n" * (self.first - 1) + self.statement + "\n"


class Source:
    """One source file; `home` is where it is from, if its code is to show another `file`."""

    def __init__(self, text: str, file: str, home: str = "") -> None:
        self.text, self.file, self.home = text, file, home or file
        self._taken: list[Place] = []

    @cached_property
    def tree(self) -> ast.Module:
        """The tree of the file; nobody may change it but who takes a part of it."""
        return ast.parse(self.text, self.file)

    @cached_property
    def tables(self) -> Tables:
        """The symbol tables of its functions."""
        return tables_of(self.text, self.file)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Every function of the file."""
        seen = Counter[str]()
        found: list[Place] = []
        for node, around, qualname in _functions(self.tree, (), ""):
            found.append(Place(node, around, qualname, seen[qualname]))
            seen[qualname] += 1
        return tuple(found)

    def take(self, place: Place) -> Function:
        """Return a function's node to be changed: the tree's own, once, for copying is slow."""
        for other in self._taken:
            if other.node is place.node or other.node in place.around or place.node in other.around:
                return Source(self.text, self.file).places[self.places.index(place)].node
        self._taken.append(place)
        return place.node

    def origin(self, place: Place) -> Origin:
        """Return what is to be known of the source when the file has changed."""
        number = bisect_left(self._ends, place.first_line)
        first, last = _first_line(self.tree.body[number]), self._ends[number]
        return Origin(self.text, self.home, first, last, place.first_line)

    @cached_property
    def _ends(self) -> list[int]:
        return [node.end_lineno or 0 for node in self.tree.body]

    def of_code(self, code: CodeType) -> Place | None:
        """Find the function that a code object was compiled from."""
        for place in self.places:
            if place.node.name == code.co_name and place.first_line == code.co_firstlineno:
                return place
        return None

    def of_name(self, qualname: str, nth: int) -> Place | None:
        """Find a function by its name."""
        for place in self.places:
            if (place.qualname, place.nth) == (qualname, nth):
                return place
        return None


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return decorators[0].lineno if decorators else node.lineno


def _functions(
    node: ast.AST, around: Around, prefix: str
) -> Iterator[tuple[Function, Around, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            qualname = prefix + child.name
            yield child, around, qualname
            yield from _functions(child, (*around, child), f"{qualname}.<locals>.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, (*around, child), f"{prefix}{child.name}.")
        else:
            yield from _functions(child, around, prefix)


_imported: Final[dict[str, str]] = {}


def imported(source: Source) -> None:
    """Know what a module was compiled from: its file may change while the process lives."""
    _imported[source.file] = source.text


def source_of(file: str, module_globals: Mapping[str, Any] | None) -> Source | None:
    """Return the source of a file; None where there is none."""
    text = _imported.get(file) or "".join(
        linecache.getlines(file, dict(module_globals) if module_globals else None)
    )
    return _source(text, file) if text else None


@lru_cache(maxsize=4)
def _source(text: str, file: str) -> Source:
    """Keep a few: a module's functions come one after the other, and trees are large."""
    return Source(text, file)


def fingerprint_of(node: Function) -> str:
    """Return a hash of what a function does: no comments, positions, decorators or docstring."""
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    parts = [ast.dump(node.args), *map(ast.dump, body)]
    digest = hashlib.blake2b("\n".join((type(node).__name__, *parts)).encode(), digest_size=12)
    return digest.hexdigest()
