"""Random expressions: numbers all, with awaits at every place an expression has.

Must never know: any statement.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.frames.fuzz.grammar import Callee, Expression, Writer

OPERATORS: Final = ("+", "-", "*", "%", "//", "|", "&", "^")
COMPARISONS: Final = ("<", "<=", ">", ">=", "==", "!=")


def number(w: Writer, depth: int) -> str:
    """Write an expression whose value is a number."""
    if depth <= 0 or not w.spend():
        return leaf(w)
    options = AWAITING if w.spot.awaits and w.often(0.55) else PLAIN
    return w.pick(options)(w, depth - 1)


def awaited(w: Writer, depth: int) -> str:
    """Write an await, or something with one in it."""
    if not w.spot.awaits:
        return number(w, depth)
    return w.pick(AWAITS)(w, depth) if w.often(0.6) else w.pick(AWAITING)(w, depth)


def leaf(w: Writer) -> str:
    """Write an expression that has no parts."""
    if w.often(0.3):
        return str(w.rng.randrange(10))
    if w.often(0.25):
        return f"n({w.serial()}, {w.name()})"
    return w.name()


def truth(w: Writer, depth: int) -> str:
    """Write a test."""
    if depth <= 0:
        return f"{leaf(w)} % {w.pick((2, 3))} == {w.pick((0, 1))}"
    return w.pick(TESTS)(w, depth - 1)


# --- awaits ---------------------------------------------------------------------------------------


def _wait(w: Writer, depth: int) -> str:
    inside = number(w, depth - 2) if w.often(0.3) else str(w.serial())
    return f"(await wait({inside}))"


def _call(w: Writer, depth: int) -> str:
    if not w.callees or not w.spend(3):
        return _wait(w, depth)
    return f"(await {called(w, w.pick(w.callees), depth)})"


def called(w: Writer, callee: Callee, depth: int) -> str:
    """Write a call of something awaitable, with arguments that fit."""
    count = w.rng.randint(callee.least, callee.most)
    arguments = [number(w, depth - 2) for _ in range(count)]
    if arguments and w.often(0.15):
        arguments[-1] = f"*[{arguments[-1]}]"
    for keyword in callee.keywords:
        if w.often(0.4):
            value = number(w, depth - 2)
            shown = f"{keyword}={value}" if w.often(0.7) else f"**{{{keyword!r}: {value}}}"
            arguments.append(shown)
    return callee.text.format(", ".join(arguments))


def _chosen(w: Writer, depth: int) -> str:
    return f"(await (wait({w.serial()}) if {truth(w, depth - 1)} else wait({w.serial()})))"


def _later(w: Writer, _: int) -> str:
    return f"(await partial(wait, {w.serial()})())"


AWAITS: Final[tuple[Expression, ...]] = (_wait, _wait, _wait, _call, _call, _call, _chosen, _later)


# --- with parts, some of which await --------------------------------------------------------------


def _either(w: Writer, depth: int) -> str:
    return awaited(w, depth) if w.spot.awaits and w.often(0.5) else number(w, depth)


def _binary(w: Writer, depth: int) -> str:
    operator = w.pick(OPERATORS)
    right = _either(w, depth)
    if operator in {"%", "//"}:
        right = f"(abs({right}) + {w.pick((0, 1, 1, 1))})"
    return f"({_either(w, depth)} {operator} {right}) % 97"


def _unary(w: Writer, depth: int) -> str:
    return f"({w.pick(('-', '~', '+', 'not '))}({_either(w, depth)}) + 0)"


def _logic(w: Writer, depth: int) -> str:
    operator = w.pick(("and", "or"))
    parts = [_either(w, depth) for _ in range(w.pick((2, 2, 3)))]
    return f"({f' {operator} '.join(parts)})"


def _conditional(w: Writer, depth: int) -> str:
    return f"({_either(w, depth)} if {truth(w, depth)} else {_either(w, depth)})"


def _chain(w: Writer, depth: int) -> str:
    parts = [_either(w, depth) for _ in range(w.pick((2, 3, 3, 4)))]
    text = parts[0]
    for part in parts[1:]:
        text += f" {w.pick(COMPARISONS)} {part}"
    return f"int({text})"


def _function(w: Writer, depth: int) -> str:
    arguments = [_either(w, depth) for _ in range(w.pick((1, 2, 2, 3)))]
    if w.often(0.3):
        arguments.insert(w.pick((0, len(arguments))), f"*[{_either(w, depth)}, {number(w, depth)}]")
    if w.often(0.3):
        arguments.append(f"key={_either(w, depth)}")
    if w.often(0.25):
        arguments.append(f"**{{'m': {_either(w, depth)}}}")
    if w.often(0.15):
        arguments.append(f"z={_either(w, depth)}")
    if w.functions and w.often(0.4):
        return f"{w.pick(w.functions)}({arguments[0].removeprefix('*')})"
    return f"both({', '.join(arguments)})"


def _method(w: Writer, depth: int) -> str:
    owner = w.pick(("b", "b", "b.self()", f"n({w.serial()}, b)", f"box({leaf(w)})"))
    return f"{owner}.add({_either(w, depth)}, {_either(w, depth)})"


def _fluent(w: Writer, depth: int) -> str:
    first = f"b.self().add({_either(w, depth)})"
    return f"both({first}, b.seen, {_either(w, depth)}, b.v)"


def _display(w: Writer, depth: int) -> str:
    parts = [_either(w, depth) for _ in range(w.pick((2, 3)))]
    if w.often(0.3):
        parts.insert(w.pick((0, 1)), f"*[{_either(w, depth)}]")
    inside = ", ".join(parts)
    form = w.pick(("[{}][-1]", "({})[1]", "len({{{}}})", "sum([{}])", "max([{}])", "len(({}))"))
    return form.format(inside)


def _mapping(w: Writer, depth: int) -> str:
    first, second = _either(w, depth), _either(w, depth)
    spread = f", **{{'c': {_either(w, depth)}}}" if w.often(0.3) else ""
    made = f"{{n({w.serial()}, 'a'): {first}, 'b': {second}{spread}}}"
    return f"{made}[{w.pick(QUOTED)}]" if w.often(0.6) else f"sum({made}.values())"


QUOTED: Final = ("'a'", "'b'")


def _subscript(w: Writer, depth: int) -> str:
    if w.often(0.5):
        return f"b[{_either(w, depth)}]"
    return f"[{w.name()}, {leaf(w)}, {_either(w, depth)}][{_either(w, depth)} % 3]"


def _slice(w: Writer, depth: int) -> str:
    low, high = _either(w, depth), _either(w, depth)
    step = f":{_either(w, depth)} % 3 + 1" if w.often(0.3) else ""
    return f"sum([1, 2, {w.name()}, 4][{low} % 4:{high} % 5{step}])"


def _text(w: Writer, depth: int) -> str:
    width = f":>{{{_simple(w, depth)} % 4 + 1}}" if w.often(0.3) else ""
    first = f"{{{_simple(w, depth)}!r}}" if w.often(0.3) else f"{{{_simple(w, depth)}{width}}}"
    return f"n({w.serial()}, len(f{chr(34)}{{b}}{first}-{{{_simple(w, depth)}}}{chr(34)}))"


def _simple(w: Writer, depth: int) -> str:
    """Write a part that an f-string of 3.11 may hold: none of its own quotes, no backslash."""
    text = _either(w, depth)
    return f"({text})" if '"' not in text else f"({w.name()} + 1)"


def _walrus(w: Writer, depth: int) -> str:
    if not w.spot.walrus or not w.spot.targets:
        return number(w, depth)
    value = _either(w, depth)
    name = w.target()
    return f"({name} := {value})" if w.often(0.6) else f"({name} := {value}) + {name}"


def _lambda(w: Writer, depth: int) -> str:
    argument = _either(w, depth)
    return f"(lambda q, r={leaf(w)}: q + r + {w.name()})({argument})"


def _order(w: Writer, depth: int) -> str:
    """Write a name, then something that may change it, then the name again."""
    name = w.target() if w.spot.targets and w.often(0.7) else w.name()
    between = _call(w, depth) if w.spot.awaits and w.often(0.6) else _either(w, depth)
    if w.spot.walrus and name in w.spot.targets and w.often(0.4):
        between = f"({name} := {_either(w, depth)})"
    return f"({name} + {between} * 2 + {name}) % 97"


# --- comprehensions -------------------------------------------------------------------------------


def _comprehension(w: Writer, depth: int) -> str:
    if w.spot.nested > 1 or not w.spend(4):
        return number(w, depth)
    with w.at(replace(w.spot, walrus=False)):
        outside = _iterable(w, depth)
    name = w.fresh("c")
    spot = replace(w.spot, names=(*w.spot.names, name), nested=w.spot.nested + 1)
    with w.at(spot):
        element = _either(w, depth - 1)
        condition = f" if {truth(w, depth - 1)}" if w.often(0.35) else ""
        inner = f" for {w.fresh('c')} in [1, {name}]" if w.often(0.2) else ""
        clauses = f"for {name} in {outside}{inner}{condition}"
    return _reduced(w, element, clauses, name)


def _reduced(w: Writer, element: str, clauses: str, name: str) -> str:
    form = w.pick(
        (
            f"sum([{element} {clauses}])",
            f"len({{{element} {clauses}}})",
            f"sum({{{name}: {element} {clauses}}}.values())",
            f"len([*[{element} {clauses}], 1])",
        )
    )
    return f"{form} % 97"


def _iterable(w: Writer, depth: int) -> str:
    options = ["range(2)", "(3, 4)", f"[{leaf(w)}, {leaf(w)}]", "{1: 2}"]
    if w.spot.awaits:
        options.append(f"[{awaited(w, depth - 1)}]")
        options.append(f"range({awaited(w, depth - 1)} % 3)")
    return w.pick(options)


def _async_comprehension(w: Writer, depth: int) -> str:
    if w.spot.nested > 1 or not w.streams or not w.spend(4):
        return _wait(w, depth)
    name = w.fresh("c")
    source = w.pick(w.streams).format(leaf(w))
    expression = w.often(0.25)
    spot = replace(w.spot, names=(*w.spot.names, name), nested=w.spot.nested + 1)
    with w.at(replace(spot, walrus=spot.walrus and not expression)):
        element = _either(w, depth - 1)
        condition = f" if {truth(w, depth - 1)}" if w.often(0.3) else ""
    clauses = f"async for {name} in {source}{condition}"
    if expression:
        name2 = w.fresh("c")
        return f"sum([{name2} async for {name2} in ({element} {clauses})])"
    return _reduced(w, element, clauses, name)


def _plain_comprehension(w: Writer, depth: int) -> str:
    name = w.fresh("c")
    with w.at(replace(w.spot, names=(*w.spot.names, name), awaits=False, walrus=False)):
        element = number(w, depth - 1)
    closing = w.pick(("sum({} for {} in range(3))", "sum([{} for {} in (1, 2)])"))
    return f"{closing.format(element, name)} % 97"


def _boom(w: Writer, depth: int) -> str:
    return f"boom({_either(w, depth)})" if w.often(0.5) else number(w, depth)


# --- tests ----------------------------------------------------------------------------------------


def _parity(w: Writer, depth: int) -> str:
    return f"{_either(w, depth)} % {w.pick((2, 3, 4))} {w.pick(('==', '!='))} {w.pick((0, 1))}"


def _both_tests(w: Writer, depth: int) -> str:
    return f"({truth(w, depth)} {w.pick(('and', 'or'))} {truth(w, depth)})"


def _not(w: Writer, depth: int) -> str:
    return f"not {truth(w, depth)}"


def _compared(w: Writer, depth: int) -> str:
    return f"{leaf(w)} {w.pick(COMPARISONS)} {_either(w, depth)} {w.pick(COMPARISONS)} {leaf(w)}"


def _contained(w: Writer, depth: int) -> str:
    return f"{_either(w, depth)} {w.pick(('in', 'not in'))} [{leaf(w)}, {_either(w, depth)}]"


TESTS: Final[tuple[Expression, ...]] = (_parity, _parity, _both_tests, _not, _compared, _contained)
AWAITING: Final[tuple[Expression, ...]] = (
    *AWAITS,
    _binary,
    _binary,
    _unary,
    _logic,
    _logic,
    _conditional,
    _conditional,
    _chain,
    _chain,
    _function,
    _function,
    _method,
    _fluent,
    _display,
    _mapping,
    _subscript,
    _slice,
    _text,
    _walrus,
    _lambda,
    _order,
    _order,
    _comprehension,
    _comprehension,
    _async_comprehension,
    _boom,
)
PLAIN: Final[tuple[Expression, ...]] = (
    _binary,
    _function,
    _method,
    _display,
    _logic,
    _conditional,
    _chain,
    _lambda,
    _plain_comprehension,
    _text,
    _boom,
)
