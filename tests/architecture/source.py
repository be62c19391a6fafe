"""A Python file as the architecture's rules see it: what it imports, names and defines.

Must never know: any rule, or any folder of this project.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One module. `name` is dotted; a package's own file has the package's name."""

    name: str
    text: str
    is_package: bool = False

    @classmethod
    def read(cls, path: Path, root: Path) -> "Source":
        parts = path.relative_to(root).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        return cls(name, path.read_text("utf-8"), is_package)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def imports(self) -> frozenset[str]:
        """Every dotted name that is imported anywhere, also in functions and for types only."""
        found = set[str]()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found |= {f"{self._origin(node)}.{alias.name}" for alias in node.names}
        return frozenset(found)

    def _origin(self, node: ast.ImportFrom) -> str:
        """Return the module that a `from` import names, relative ones spelt out."""
        if not node.level:
            return node.module or ""
        home = self.name.split(".")
        up = node.level - 1 if self.is_package else node.level
        return ".".join([*home[: len(home) - up], *filter(None, [node.module])])

    @cached_property
    def used(self) -> frozenset[str]:
        """Every dotted name that code reaches, under the name that it was imported from."""
        return frozenset(name for node in ast.walk(self.tree) if (name := self.dotted(node)))

    def dotted(self, node: ast.AST) -> str | None:
        """Return what `a.b.c` stands for, or None if it does not begin with a plain name."""
        match node:
            case ast.Name(id=name):
                return self._aliases.get(name, name)
            case ast.Attribute(value=owner, attr=name):
                inner = self.dotted(owner)
                return f"{inner}.{name}" if inner else None
            case _:
                return None

    @cached_property
    def _aliases(self) -> dict[str, str]:
        known = dict[str, str]()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                known |= {alias.asname: alias.name for alias in node.names if alias.asname}
            elif isinstance(node, ast.ImportFrom):
                origin = self._origin(node)
                known |= {a.asname or a.name: f"{origin}.{a.name}" for a in node.names}
        return known

    def functions(self) -> Iterator[tuple[str, Function, bool]]:
        """Yield each function with its full name and whether it stands in a class."""
        for name, node, in_class in _defined(self.tree, "", in_class=False):
            if isinstance(node, Function):
                yield name, node, in_class

    def classes(self) -> Iterator[tuple[str, ast.ClassDef]]:
        for name, node, _ in _defined(self.tree, "", in_class=False):
            if isinstance(node, ast.ClassDef):
                yield name, node


def _defined(
    node: ast.AST, prefix: str, *, in_class: bool
) -> Iterator[tuple[str, Function | ast.ClassDef, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef):
            name = f"{prefix}{child.name}"
            yield name, child, in_class
            yield from _defined(child, f"{name}.", in_class=isinstance(child, ast.ClassDef))
        else:
            yield from _defined(child, prefix, in_class=in_class)


def lines_of(node: Function) -> int:
    """Count a function's lines from its `def` on, without its docstring."""
    total = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


def positional(node: Function, *, in_class: bool) -> int:
    """Count the arguments that may be given by position, without `self`."""
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
    count = len(node.args.posonlyargs) + len(node.args.args)
    return count - (in_class and not static)


def verbs(node: ast.ClassDef) -> set[str]:
    """Return a class's own public methods; tests in a shipped suite are nobody's verbs."""
    names = {child.name for child in node.body if isinstance(child, Function)}
    return {name for name in names if not name.startswith(("_", "test_"))}
