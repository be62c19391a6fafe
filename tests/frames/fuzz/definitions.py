"""What a random program defines at its top: functions, classes, generators, managers."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.frames.fuzz.blocks import sequence
from tests.frames.fuzz.expressions import number
from tests.frames.fuzz.grammar import Callee, Lines, Spot, Statement, Writer, indented

LOCAL: Final = Spot(names=("x", "y", "G"), targets=("x", "y"))
YIELDING: Final = replace(LOCAL, yields=True)
BEGIN: Final = "b = Box(x)"


def _written(w: Writer, spot: Spot, size: int, depth: int = 2) -> Lines:
    """Write the lines of a function's body."""
    w.size = size
    with w.inside(spot):
        lines = sequence(w, depth)
        if not spot.yields:
            lines.append(f"return {number(w, 2)}")
    return lines


def _function(w: Writer, depth: int) -> Lines:
    name = w.fresh("f")
    uses_global = w.often(0.25)
    spot = replace(LOCAL, targets=("x", "y", "G")) if uses_global else LOCAL
    lines = ["global G", "G = G + 1"] if uses_global else []
    lines += [BEGIN, *_written(w, spot, 30, depth)]
    parameters, callee = w.pick(SIGNATURES)
    w.callees.append(replace(callee, text=f"{name}({{}})"))
    if callee.least:
        w.callees.append(Callee(f"applied({name}, {{}})", 1, 1))
    decorated = ["@again"] if w.often(0.15) else []
    return [*decorated, "@resumable", f"async def {name}({parameters}):", *indented(lines)]


SIGNATURES: Final[tuple[tuple[str, Callee], ...]] = (
    ("x, y=2", Callee("", 1, 2, ("y",))),
    ("x, /, y=3, *rest", Callee("", 1, 3)),
    ("x, *, y=4, **more", Callee("", 1, 1, ("y", "z"))),
    ("x=1, y=5", Callee("", 0, 2)),
)


def _recursive(w: Writer, _: int) -> Lines:
    name = w.fresh("r")
    lines = _written(w, LOCAL, 18, 1)
    w.callees.append(Callee(f"{name}(2, {{}})", 1, 1))
    head = [BEGIN, "if d <= 0:", f"    return n({w.serial()}, x)", "y = d"]
    call = [f"x = await {name}(d - 1, x + 1) + {number(w, 1)}"]
    return ["@resumable", f"async def {name}(d, x):", *indented([*head, *call, *lines])]


def _classes(w: Writer, _: int) -> Lines:
    base, derived = w.fresh("A"), w.fresh("B")
    first, second, third = (_written(w, LOCAL, 14, 1) for _ in range(3))
    head = ["b = self.box", "y = self.__p"]
    upper = [f"y = await super().go({number(w, 1)})", *second]
    w.callees += [
        Callee(f"{derived}(1).go({{}})", 1, 1),
        Callee(f"{derived}.made({{}})", 1, 1),
        Callee(f"{derived}(2)({{}})", 1, 1),
        Callee(f"{base}(3).go({{}})", 1, 1),
    ]
    return [
        f"class {base}:",
        "    def __init__(self, p):",
        "        self.__p = p",
        "        self.box = Box(p)",
        "    @resumable",
        "    async def go(self, x):",
        *indented(indented([*head, "self.__p = x", *first])),
        "    @classmethod",
        "    @resumable",
        "    async def made(cls, x):",
        "        one = cls(await wait(x))",
        "        return await one.go(x) + one.__p",
        "    @property",
        "    def p(self):",
        "        return n('p', self.__p)",
        f"class {derived}({base}):",
        "    @resumable",
        "    async def go(self, x):",
        *indented(indented(["b = self.box", *upper])),
        "    @staticmethod",
        "    @resumable",
        "    async def plain(x, y=1):",
        "        return await wait(x) + y",
        "    @resumable",
        "    async def __call__(self, x):",
        "        b, y = self.box, await self.plain(x)",
        *indented(indented(third)),
    ]


def _stream(w: Writer, _: int) -> Lines:
    name = w.fresh("g")
    lines = [BEGIN, "y = 1", "for i in range(x % 3 + 1):"]
    inside = replace(YIELDING, names=("x", "y", "i", "G"), loop=True)
    lines += indented([*_written(w, inside, 16, 1), f"yield i + {number(w, 1)}"])
    if w.often(0.5):
        ending = replace(YIELDING, yields=False, returns=False)
        last = _unreturned(w, ending)
        lines = [BEGIN, "y = 0", "try:", *indented(lines), "finally:", *indented(last)]
    w.streams.append(f"{name}({{}})")
    return ["@resumable", f"async def {name}(x):", *indented(lines)]


def _unreturned(w: Writer, spot: Spot) -> Lines:
    w.size = 8
    with w.inside(spot):
        return [f"note({w.serial()}, 'closing')", *sequence(w, 1)]


def _manager_function(w: Writer, _: int) -> Lines:
    name = w.fresh("m")
    spot = replace(LOCAL, returns=False, awaits=w.often(0.6))
    before, after = _unreturned(w, spot), _unreturned(w, spot)
    handler = ["except ValueError as error:", f"    note({w.serial()}, error)"]
    lines = [BEGIN, "y = 1", *before, "try:", "    yield x", *(handler if w.often(0.5) else [])]
    lines += ["finally:", *indented(after)]
    w.managers.append(f"{name}({{}})")
    return ["@asynccontextmanager", "@resumable", f"async def {name}(x):", *indented(lines)]


def _manager_class(w: Writer, _: int) -> Lines:
    name = w.fresh("M")
    before = _unreturned(w, replace(LOCAL, returns=False))
    after = _unreturned(w, replace(LOCAL, returns=False))
    w.managers.append(f"{name}({{}})")
    return [
        f"class {name}:",
        "    def __init__(self, x):",
        "        self.x = x",
        "    @resumable",
        "    async def __aenter__(self):",
        "        x, y, b = self.x, 1, Box(2)",
        *indented(indented(before)),
        "        return x",
        "    @resumable",
        "    async def __aexit__(self, kind, error, trace):",
        "        x, y, b = self.x, 1, Box(3)",
        f"        note({w.serial()}, kind and kind.__name__, error)",
        *indented(indented(after)),
        f"        return isinstance(error, Exception) and {w.pick(('True', 'False', 'x % 2'))}",
    ]


def _iterator_class(w: Writer, _: int) -> Lines:
    name = w.fresh("I")
    each = _written(w, LOCAL, 10, 1)
    w.streams.append(f"{name}({{}})")
    return [
        f"class {name}:",
        "    def __init__(self, x):",
        "        self.x, self.at = x, 0",
        "    def __aiter__(self):",
        "        return self",
        "    @resumable",
        "    async def __anext__(self):",
        "        x, y, b = self.x, self.at, Box(4)",
        "        self.at += 1",
        "        if self.at > 2:",
        "            raise StopAsyncIteration",
        *indented(indented(each)),
    ]


DEFINITIONS: Final[tuple[Statement, ...]] = (
    *((_function,) * 4),
    _recursive,
    _classes,
    _classes,
    _stream,
    _stream,
    _manager_function,
    _manager_class,
    _iterator_class,
)
HEAD: Final = """from tests.frames.fuzz.world import *
G = 0
def again(function):
    @resumable
    @wraps(function)
    async def wrapper(*args, **kwargs):
        note("again", args, kwargs)
        first = await function(*args, **kwargs)
        return first + await wait(1)
    return wrapper
@resumable
async def applied(function, *args):
    note("applied", args)
    return await function(*args)
"""


def program(w: Writer) -> str:
    """Write a whole program; it begins in `main`."""
    lines: Lines = []
    for _ in range(w.pick((0, 1, 2, 2, 3, 4))):
        lines += w.pick(DEFINITIONS)(w, 2)
    w.size = 70
    spot = LOCAL
    with w.inside(spot):
        main = [BEGIN, "y = 2"]
        for _ in range(w.pick((1, 2, 3, 4))):
            main += sequence(w, 3)
        main.append(f"return (x, y, b, {number(w, 2)})")
    return HEAD + "\n".join([*lines, "@resumable", "async def main(x):", *indented(main), ""])
