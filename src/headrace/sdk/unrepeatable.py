"""Finds calls in a task's code that give something else when the code runs again.

Owns: which calls those are, and which code is the task's own: its function's body, and those of the
async functions of its module that it calls. What stands in a lambda, in a function within, or in a
step is somebody else's to call.
Must never know: imports that have run, warnings.

Where a name might be anything (it is bound twice, or by something else than an import), nothing is
found: no finding is better than a wrong one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Names: TypeAlias = Mapping[str, str]
"""What names stand for: dotted; empty where that cannot be told."""

VOLATILE: Final = frozenset(
    {
        "time.time",
        "time.time_ns",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.today",
        "datetime.date.today",
        "uuid.uuid1",
        "uuid.uuid4",
        "uuid.uuid6",
        "uuid.uuid7",
        "os.urandom",
        "os.getrandom",
    }
)
CHANCE: Final = frozenset({"random", "secrets"})
STEADY: Final = frozenset(
    {"random.Random", "random.SystemRandom", "random.seed", "random.setstate"}
    | {"secrets.SystemRandom", "secrets.compare_digest"}
)
"""Of the modules of chance: what gives the same again, or nothing yet."""
OPENS: Final = frozenset({"open", "io.open"})
UNTIL: Final = "headrace.wait.until"
_INNER: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class Found:
    """A call, the function that it stands in, and its line."""

    call: str
    function: str
    line: int
    writes: bool = False
    """Whether it opens a file to write."""


class Module:
    """The source of one module."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree

    @cached_property
    def _names(self) -> Names:
        return _bound(self._tree.body)

    @cached_property
    def _helpers(self) -> Mapping[str, ast.AsyncFunctionDef]:
        """Its async functions that nothing decorates, by name."""
        return {
            one.name: one
            for one in self._tree.body
            if isinstance(one, ast.AsyncFunctionDef) and not one.decorator_list
        }

    def found(self, name: str, line: int) -> Iterator[Found]:
        """Yield what is found in the function of that name that begins on this line."""
        met = [one for one in _functions(self._tree) if _is_it(one, name, line)]
        for function in met:
            names = {**self._names, **_own_names(function)}
            yield from _volatile(function, names)
            for other in self._called(function, names):
                if other not in met:
                    met.append(other)

    def _called(self, function: Function, names: Names) -> Iterator[ast.AsyncFunctionDef]:
        """Yield the helpers that a function calls."""
        for node in _own_code(function.body):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                name = node.func.id
                if names.get(name) == f".{name}" and name in self._helpers:
                    yield self._helpers[name]


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _is_it(function: Function, name: str, line: int) -> bool:
    first = min((one.lineno for one in function.decorator_list), default=function.lineno)
    return (function.name, first) == (name, line)


def _own_code(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield what runs when this code runs: nothing of functions and classes within."""
    for node in body:
        yield node
        if not isinstance(node, _INNER):
            yield from _own_code(ast.iter_child_nodes(node))


def _volatile(function: Function, names: Names) -> Iterator[Found]:
    deadlines = set(_deadlines(function, names))
    for node in _own_code(function.body):
        if not isinstance(node, ast.Call) or node in deadlines:
            continue
        dotted, shown = _dotted(node.func, names), ast.unparse(node.func)
        module, _, _ = dotted.rpartition(".")
        if dotted in VOLATILE or (module in CHANCE and dotted not in STEADY):
            yield Found(f"{shown}()", function.name, node.lineno)
        elif dotted in OPENS and _writes(node):
            call = f"{shown}(…, {_mode(node)!r})"
            yield Found(call, function.name, node.lineno, writes=True)


def _deadlines(function: Function, names: Names) -> Iterator[ast.AST]:
    """Yield what says when a wait ends: the first that was said counts, however often it is."""
    for node in _own_code(function.body):
        if isinstance(node, ast.Call):
            said: list[ast.expr] = [one.value for one in node.keywords if one.arg == "until"]
            if _dotted(node.func, names) == UNTIL:
                said += node.args
            yield from _own_code(said)


def _mode(call: ast.Call) -> str:
    said = [one.value for one in call.keywords if one.arg == "mode"] or call.args[1:2]
    mode = said[0] if said else None
    return mode.value if isinstance(mode, ast.Constant) and isinstance(mode.value, str) else ""


def _writes(call: ast.Call) -> bool:
    return not {"w", "a", "x"}.isdisjoint(_mode(call))


def _dotted(node: ast.expr, names: Names) -> str:
    """Say what an expression names, or nothing."""
    match node:
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.Attribute(value=value, attr=attr):
            owner = _dotted(value, names)
            return f"{owner}.{attr}" if owner else ""
        case _:
            return ""


# --- what names stand for ------------------------------------------------------------------------


def _own_names(function: Function) -> Names:
    every = function.args
    parameters = [*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg]
    bound = {
        # A function within is none of the module's, whatever its name.
        name: "" if dotted.startswith(".") else dotted
        for name, dotted in _bound(function.body).items()
    }
    return {**bound, **{one.arg: "" for one in parameters if one is not None}}


def _bound(body: Iterable[ast.stmt]) -> dict[str, str]:
    """Return what a block binds; a name that is bound in two ways stands for nothing."""
    names: dict[str, str] = {}
    for node in _own_code(body):
        for name, dotted in _bindings(node):
            names[name] = dotted if names.get(name, dotted) == dotted else ""
    return names


def _bindings(node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Import(names=aliases):
            for one in aliases:
                yield (one.asname or one.name.partition(".")[0]), _imported(one)
        case ast.ImportFrom(module=module, names=aliases, level=level):
            for one in aliases:
                yield one.asname or one.name, f"{module}.{one.name}" if module and not level else ""
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name, f".{name}"
        case _:
            yield from ((name, "") for name in _set_by(node))


def _set_by(node: ast.AST) -> tuple[str, ...]:
    """Return the names that are bound to who knows what."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.ClassDef(name=name):
            return (name,)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            return (name,)
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            return (name,)
        case _:
            return ()


def _imported(one: ast.alias) -> str:
    return one.name if one.asname else one.name.partition(".")[0]
