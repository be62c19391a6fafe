"""Random statements with blocks: if, loops, try, with, match."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.frames.fuzz.expressions import awaited, number, truth
from tests.frames.fuzz.grammar import ERRORS, Lines, Spot, Statement, Writer, indented
from tests.frames.fuzz.nested import by_hand, deferred, local_class, local_function, local_plain
from tests.frames.fuzz.simple import simple, value


def body(w: Writer, depth: int, spot: Spot | None = None) -> Lines:
    """Write a block."""
    with w.inside(spot or w.spot):
        return indented(sequence(w, depth))


def sequence(w: Writer, depth: int) -> Lines:
    """Write one to four statements."""
    lines: Lines = []
    for _ in range(w.pick((1, 2, 2, 3, 4))):
        if w.spend():
            lines += statement(w, depth)
    return lines or [f"note({w.serial()})"]


def statement(w: Writer, depth: int) -> Lines:
    """Write one statement."""
    if depth <= 0 or w.often(0.45):
        return simple(w, w.pick((1, 2, 3)))
    return w.pick(BLOCKS)(w, depth - 1)


def _if(w: Writer, depth: int) -> Lines:
    lines = [f"if {truth(w, 2)}:", *body(w, depth)]
    if w.often(0.3):
        lines += [f"elif {truth(w, 2)}:", *body(w, depth)]
    if w.often(0.5):
        lines += ["else:", *body(w, depth)]
    return lines


# --- loops ----------------------------------------------------------------------------------------


def _else(w: Writer, depth: int) -> Lines:
    return ["else:", *body(w, depth)] if w.often(0.35) else []


def _for(w: Writer, depth: int) -> Lines:
    name = w.fresh("i")
    made = w.pick(
        (
            (name, "range({0} % 3 + 1)"),
            (name, "[{0}, {1}]"),
            (f"_, {name}", "enumerate([{0}, {1}])"),
            (f"{name}, *_", "zip([{0}, 2], 'ab')"),
            (name, "{{'a': {0}, 'b': 2}}.values()"),
            (f"_, ({name}, _)", "{{'a': ({0}, 1), 'b': (2, 3)}}.items()"),
            (name, "reversed([1, {0}])"),
            (name, "Stream({0} % 3)"),
            (name, "map(abs, [{0}, -1])"),
            (f"b.v, {name}", "[(1, {0}), (2, {1})]"),
            (f"b[{w.name()}], {name}", "[(1, {0})] * 2"),
            (name, "filter(None, iter([{0}, {1}]))"),
        )
    )
    header = f"for {made[0]} in {made[1].format(value(w, 1), number(w, 1))}:"
    inside = replace(w.spot, names=(*w.spot.names, name), loop=True)
    lines = [header, *body(w, depth, inside), *_else(w, depth)]
    return [*lines, f"note({w.serial()}, {name})"] if w.often(0.1) else lines


def _while(w: Writer, depth: int) -> Lines:
    name = w.fresh("w")
    test = f"({name} := {name} + 1) < {w.pick((2, 3, 4))}"
    if w.often(0.4):
        test += f" {w.pick(('and', 'and', 'and not'))} {truth(w, 2)}"
    inside = replace(w.spot, names=(*w.spot.names, name), loop=True)
    return [f"{name} = 0", f"while {test}:", *body(w, depth, inside), *_else(w, depth)]


def _async_for(w: Writer, depth: int) -> Lines:
    if not w.spot.awaits:
        return _for(w, depth)
    name = w.fresh("a")
    source = w.pick([*w.streams, *w.streams, "Stream({})"]).format(f"{value(w, 1)} % 4")
    inside = replace(w.spot, names=(*w.spot.names, name), loop=True)
    return [f"async for {name} in {source}:", *body(w, depth, inside), *_else(w, depth)]


# --- try ------------------------------------------------------------------------------------------


def _try(w: Writer, depth: int) -> Lines:
    lines = ["try:", *body(w, depth)]
    handled = w.often(0.8)
    if handled:
        for kinds in w.pick(((1,), (1,), (1, 2))):
            lines += _handler(w, depth, _kinds(w) if kinds == 1 else "Exception")
        if w.often(0.1):
            lines += _handler(w, depth, "")
        if w.often(0.3):
            lines += ["else:", *body(w, depth)]
    if not handled or w.often(0.45):
        lines += ["finally:", *body(w, depth, _finally(w))]
    return lines


def _try_leaving(w: Writer, depth: int) -> Lines:
    """Leave a `try` in some way through a `finally` that waits."""
    words = ["break", "continue"] * 2 if w.spot.loop else []
    if w.spot.returns:
        words.append("return" if w.spot.yields else f"return {value(w, 2)}")
    if w.spot.handler:
        words.append("raise")
    leave = w.pick([*words, "raise KeyError(0)"])
    lines = ["try:", *body(w, depth), *indented([f"if {truth(w, 1)}:", f"    {leave}"])]
    if w.often(0.4):
        lines += _handler(w, depth, _kinds(w))
    spot = replace(w.spot, loop=False, returns=False)
    return [
        *lines,
        "finally:",
        *indented([f"note({w.serial()}, {awaited(w, 2)})"]),
        *body(w, 0, spot),
    ]


def _kinds(w: Writer) -> str:
    options = ("ValueError", "(ValueError, KeyError)", "KeyError", "Exception", "Oops")
    return w.pick((*options, "asyncio.CancelledError", "BaseException"))


def _finally(w: Writer) -> Spot:
    """Leaving a finally by return, break or continue is allowed, but seldom written."""
    leaves = w.often(0.25)
    return replace(w.spot, loop=w.spot.loop and leaves, returns=w.spot.returns and leaves)


def _handler(w: Writer, depth: int, kinds: str) -> Lines:
    name = w.fresh("e") if kinds and w.often(0.7) else ""
    inside = replace(w.spot, handler=True)
    header = "except:" if not kinds else f"except {kinds}{f' as {name}' if name else ''}:"
    shown = f"note({w.serial()}, {name}, {name}.__context__, {name}.__cause__)" if name else ""
    lines = body(w, depth, inside)
    if shown:
        lines = [*indented([shown]), *lines]
    if shown and w.often(0.3):
        lines += indented([shown])
    if name and w.often(0.2):
        raised = w.pick((f"raise {name}", f"raise KeyError(1) from {name}"))
        lines += indented([f"if {truth(w, 1)}:", f"    {raised}"])
    # A program that cannot be ended from outside would go on for ever.
    guard = ["except Ended:", *indented(["raise"])]
    return [*guard, header, *lines] if kinds in {"", "BaseException"} else [header, *lines]


def _try_star(w: Writer, depth: int) -> Lines:
    spot = replace(w.spot, loop=False, returns=False)
    errors = [w.pick(("ValueError", "KeyError", "TypeError")) for _ in range(3)]
    made = ", ".join(f"{kind}({number(w, 1)})" for kind in errors)
    thrown = f"raise ExceptionGroup('g{w.serial()}', [{made}])"
    lines = ["try:", *body(w, depth), *indented([f"if {truth(w, 1)}:", f"    {thrown}"])]
    for kind in w.pick((("ValueError",), ("ValueError", "KeyError"), ("(KeyError, TypeError)",))):
        name = w.fresh("g")
        inside = replace(spot, handler=True, awaits=spot.awaits and w.often(0.2))
        lines += [f"except* {kind} as {name}:", *indented([f"note({w.serial()}, {name})"])]
        lines += body(w, depth, inside)
    if w.often(0.2):
        lines += ["else:", *body(w, depth)]
    if w.often(0.3):
        lines += ["finally:", *body(w, depth, spot)]
    return lines


# --- with -----------------------------------------------------------------------------------------


def _swallowed(w: Writer) -> str:
    return w.pick(("", "", f", ({w.pick(ERRORS)},)", ", (Exception,)"))


def _with(w: Writer, depth: int) -> Lines:
    lines: Lines = []
    items: list[str] = []
    for _ in range(w.pick((1, 1, 2))):
        first = value(w, 1) if w.often(0.3) else str(w.serial())
        kind = w.pick((f"Gate({first}{_swallowed(w)})",) * 4 + (f"nullcontext({first})",))
        item = w.pick((kind, kind, kind, f"suppress({w.pick(ERRORS)})"))
        target = w.pick(("", " as r", " as b.v", " as b['g']")) if "suppress" not in item else ""
        items.append(item + target)
    if w.often(0.15):
        items.append("ExitStack() as s")
        entered = f"s.enter_context(Gate({value(w, 1)}{_swallowed(w)}))"
        lines += [entered, f"s.callback(note, 'called', {number(w, 1)})"]
    text = ", ".join(items)
    header = f"with ({text}):" if w.often(0.2) else f"with {text}:"
    return [header, *indented(lines), *body(w, depth)] if lines else [header, *body(w, depth)]


def _async_with(w: Writer, depth: int) -> Lines:
    if not w.spot.awaits:
        return _with(w, depth)
    lines: Lines = []
    items: list[str] = []
    for _ in range(w.pick((1, 1, 2))):
        gate = f"Gate({w.serial()}{_swallowed(w)})"
        managers = [made.format(value(w, 1)) for made in w.managers]
        item = w.pick([*managers, *managers, gate])
        items.append(item + w.pick(("", " as r", " as b.v")))
    if w.often(0.12):
        items.append("AsyncExitStack() as s")
        lines.append(f"await s.enter_async_context(Gate({w.serial()}{_swallowed(w)}))")
    if w.streams and w.often(0.15):
        items.append(f"aclosing({w.pick(w.streams).format(leaf_of(w))}) as g")
        lines += ["async for r in g:", f"    note({w.serial()}, r)", "    break"]
    header = f"async with {', '.join(items)}:"
    return [header, *indented(lines), *body(w, depth)] if lines else [header, *body(w, depth)]


def leaf_of(w: Writer) -> str:
    """Write a short number."""
    return f"{w.name()} % 4"


# --- match ----------------------------------------------------------------------------------------


def _match(w: Writer, depth: int) -> Lines:
    subject = w.pick(
        (
            "{0} % 3",
            "({0}, {1} % 2)",
            "[{0} % 2, {1}, 3]",
            "Shape({0} % 2, {1})",
            "{{'k': {0} % 2, 'l': {1}}}",
            "n({2}, [{0} % 2])",
        )
    ).format(awaited(w, 1), number(w, 1), w.serial())
    lines = [f"match {subject}:"]
    for _ in range(w.pick((1, 2, 3))):
        name = w.fresh("m")
        pattern, binds = w.pick(PATTERNS)
        guard = f" if {truth(w, 2)}" if w.often(0.6) else ""
        names = (*w.spot.names, name) if binds else w.spot.names
        header = f"case {pattern.format(name)}{guard}:"
        lines += indented([header, *body(w, depth, replace(w.spot, names=names))])
    if w.often(0.6):
        lines += indented(["case _:", *body(w, depth)])
    return lines


PATTERNS: Final[tuple[tuple[str, bool], ...]] = (
    ("0", False),
    ("1 | 2", False),
    ("int() as {0}", True),
    ("(0, {0})", True),
    ("[0 | 1, int({0}), *_]", True),
    ("[{0}, *_]", True),
    ("Shape(0, {0})", True),
    ("Shape(a=1, b=int() as {0})", True),
    ("{{'k': 0, 'l': {0}}}", True),
    ("{{'k': {0}, **_r}}", True),
    ("[int({0})]", True),
    ("-1 | None | 'a'", False),
)

BLOCKS: Final[tuple[Statement, ...]] = (
    *((_if,) * 3),
    *((_for,) * 3),
    _while,
    _while,
    _async_for,
    _async_for,
    *((_try,) * 5),
    *((_try_leaving,) * 3),
    _try_star,
    _with,
    _with,
    _async_with,
    _async_with,
    *((_match,) * 4),
    lambda w, depth: local_function(w, depth, sequence),
    lambda w, depth: local_function(w, depth, sequence),
    local_plain,
    local_class,
    lambda w, depth: by_hand(w, depth, sequence),
    lambda w, depth: deferred(w, depth, sequence),
)
