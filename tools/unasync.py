"""Write `src/headrace/sdk/_sync*.py`: the same names as the async classes, blocking.

    make sync

A blocking class holds the async one and hands every call to the event loop that it belongs to; so
there is no second implementation, only signatures, and those are made here.
Owns: which classes have a blocking twin, in which file, and how a signature turns into a blocking
one.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SDK: Final = ROOT / "src/headrace/sdk"

CLASSES: Final = {
    "handles": ("Handle",),
    "tasks": ("Task",),
    "steps": ("Step",),
    "inputs": ("Subscription", "InputStreamOf", "InputStream"),
    "outputs": ("OutputStream",),
    "waits": ("Waits",),
    "runs": ("Runs",),
    "auth": ("Auth",),
}
THINGS: Final = SDK / "_sync.py"
VERBS: Final = SDK / "_sync_verbs.py"
TARGETS: Final = {
    THINGS: ("handles", "tasks", "steps", "inputs", "outputs"),
    VERBS: ("waits", "runs", "auth"),
}
TWINS: Final = frozenset(name for names in CLASSES.values() for name in names)
DUNDERS: Final = frozenset({"__call__", "__aiter__", "__enter__", "__exit__"})
NOT_FOR_CALLERS: Final = frozenset(
    {"again", "call", "encoded", "execute", "is_resumable", "spec", "sync"}
)

# Where iterating or calling blocks, it must happen in the caller's thread, not on the loop.
PARAMETERS: Final = {
    "Handler[T]": ("Callable[[T], object]", "in_own_thread({})"),
}
BY_HAND: Final = {
    ("OutputStream", "pipe"): (
        "self, values: Iterable[T]",
        "None",
        "for value in values:\n    self.append(value)",
    ),
}

ON_LOOP: Final = "blocking_on_loop(lambda: {call})"

HEAD: Final = '''"""The blocking twins of the async classes: the same names, for plain code.

Made by tools/unasync.py from the async classes; change those, and make this anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from typing_extensions import Self, TypeForm

from headrace.sdk._sync import SyncHandle
from headrace.sdk.answers import Answer
from headrace.sdk.blocking import blocking, blocking_iterator, blocking_on_loop, in_own_thread
from headrace.sdk.deadlines import Duration
from headrace.sdk.views import Run
from headrace.wire.views import Receipt, Status

if TYPE_CHECKING:  # those modules import this one
    from typing import Unpack

    from headrace.sdk.auth import Auth
    from headrace.sdk.debouncing import Debounce
    from headrace.sdk.handles import Handle
    from headrace.sdk.inputs import (
        AnyRun,
        InputStream,
        InputStreamOf,
        OnError,
        Subscription,
    )
    from headrace.sdk.outputs import OutputStream
    from headrace.sdk.runs import Runs
    from headrace.sdk.steps import Step
    from headrace.sdk.tasks import Start, Task
    from headrace.sdk.tokens import AnyToken, Token
    from headrace.sdk.waits import Waits

A = ParamSpec("A")
P = TypeVar("P")
R = TypeVar("R")
T = TypeVar("T")
'''

TWIN_IMPORT: Final = "from headrace.sdk._sync import SyncHandle\n"

Method = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Shape:
    """How a method's answer turns into a blocking one: its type, and the expression for it."""

    returns: str
    wrap: str


def main() -> None:
    """Write the files."""
    for target in TARGETS:
        target.write_text(generated(target), "utf-8")
        print(f"wrote {target.relative_to(ROOT)}")


def generated(target: Path) -> str:
    """Return the file's text. Of the imports, those that it does not need are left out."""
    # Its own twins are no import; what the other file needs of them, is.
    parts = [HEAD if target != THINGS else HEAD.replace(TWIN_IMPORT, "")]
    for module in TARGETS[target]:
        names = CLASSES[module]
        tree = ast.parse((SDK / f"{module}.py").read_text("utf-8"))
        classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        parts.extend(_twin(classes[name]) for name in names)
    return _formatted("\n\n".join(parts), target)


def _twin(node: ast.ClassDef) -> str:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    own = f"{node.name}{bases.removeprefix('Generic')}" if bases else node.name
    head = [
        f"class Sync{node.name}{f'({bases})' if bases else ''}:",
        f'    """`{node.name}`, blocking."""',
        "",
        '    __slots__ = ("_of",)',
        "",
        f"    def __init__(self, of: {own}) -> None:",
        "        self._of = of",
        "",
    ]
    return "\n".join([*head, *_attributes(node), *_methods(node)])


def _attributes(node: ast.ClassDef) -> Iterator[str]:
    """Pass on the public attributes that the class declares."""
    for child in node.body:
        if isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name):
            name, annotation = child.target.id, ast.unparse(child.annotation)
            yield from _property(name, annotation, "")


def _property(name: str, annotation: str, doc: str) -> list[str]:
    text = f'        """{doc}"""' if doc else '        """See the async class."""'
    return [
        "    @property",
        f"    def {name}(self) -> {annotation}:",
        text,
        f"        return self._of.{name}",
        "",
    ]


def _methods(node: ast.ClassDef) -> Iterator[str]:
    for method in node.body:
        if not isinstance(method, Method) or method.name in NOT_FOR_CALLERS:
            continue
        if method.name.startswith("_") and method.name not in DUNDERS:
            continue
        decorators = {ast.unparse(one) for one in method.decorator_list}
        if "property" in decorators:
            yield from _property(method.name, ast.unparse(method.returns or _NONE), _doc(method))
        elif "overload" in decorators:
            yield from ["    @overload", f"    {_signature(method)}: ...", ""]
        else:
            yield from _blocking(node.name, method)


def _blocking(owner: str, method: Method) -> list[str]:
    doc = [f'        """{_doc(method)}"""'] if _doc(method) else []
    if (owner, method.name) in BY_HAND:
        arguments, returns, body = BY_HAND[owner, method.name]
        lines = [f"    def {method.name}({arguments}) -> {returns}:", *doc]
        return [*lines, *(f"        {line}" for line in body.splitlines()), ""]
    shape = _shape(method)
    if method.name == "__enter__":
        return [f"    {_signature(method)}:", "        return self", ""]
    call = shape.wrap.format(call=_call(method), bare=_call(method).removesuffix("()"))
    return [f"    {_signature(method)}:", *doc, f"        return {call}", ""]


def _call(method: Method) -> str:
    if method.name == "__aiter__":
        return "aiter(self._of)"
    arguments = ", ".join(_passed(method))
    if method.name == "__call__":
        return f"self._of({arguments})"
    return f"self._of.{method.name}({arguments})"


def _passed(method: Method) -> Iterator[str]:
    for one in [*method.args.posonlyargs, *method.args.args][1:]:
        yield _converted(one)
    if method.args.vararg:
        yield f"*{method.args.vararg.arg}"
    for one in method.args.kwonlyargs:
        yield f"{one.arg}={_converted(one)}"
    if method.args.kwarg:
        yield f"**{method.args.kwarg.arg}"


def _converted(one: ast.arg) -> str:
    annotation = ast.unparse(one.annotation) if one.annotation else ""
    return PARAMETERS[annotation][1].format(one.arg) if annotation in PARAMETERS else one.arg


def _signature(method: Method) -> str:
    arguments = _with_twins(ast.unparse(method.args))
    for annotation, (plain, _) in PARAMETERS.items():
        arguments = arguments.replace(annotation, plain)
    name = "__iter__" if method.name == "__aiter__" else method.name
    return f"def {name}({arguments}) -> {_shape(method).returns}"


def _with_twins(arguments: str) -> str:
    """Have `self: Task[None, R]` say the twin."""
    if not arguments.startswith("self: "):
        return arguments
    return arguments.replace("self: ", "self: Sync", 1)


def _shape(method: Method) -> Shape:
    returns = method.returns or _NONE
    text = ast.unparse(returns)
    outer = ast.unparse(returns.value) if isinstance(returns, ast.Subscript) else text
    inner = ast.unparse(returns.slice) if isinstance(returns, ast.Subscript) else ""
    if outer == "AsyncIterator":
        return Shape(f"Iterator[{inner}]", "blocking_iterator({call})")
    if outer == "Pending":
        return Shape(f"Answer[{inner}]", "blocking({call})")
    if outer == "Coroutine":
        return _awaited(inner.removeprefix("(").removesuffix(")").split(", ", 2)[2])
    if isinstance(method, ast.AsyncFunctionDef):
        return _awaited(text)
    if outer in TWINS:
        at_once = outer == "InputStreamOf"
        return Shape(f"Sync{text}", "{call}.sync" if at_once else f"{ON_LOOP}.sync")
    return Shape(text, ON_LOOP if list(_passed(method)) else "blocking_on_loop({bare})")


def _awaited(text: str) -> Shape:
    if text.partition("[")[0] in TWINS:
        return Shape(f"Sync{text}", "blocking({call}).sync")
    return Shape(text, "blocking({call})")


def _doc(method: Method) -> str:
    return (ast.get_docstring(method) or "").partition("\n")[0]


def _formatted(text: str, target: Path) -> str:
    """Return the text as the project's formatter has it."""
    ruff = Path(sys.executable).with_name("ruff")
    for command in (["check", "--fix-only", "--quiet"], ["format"]):
        done = subprocess.run(
            [ruff, *command, "--stdin-filename", target, "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        text = done.stdout
    return text


_NONE: Final = ast.Constant(None)

if __name__ == "__main__":
    main()
