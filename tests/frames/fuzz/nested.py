"""Functions and classes that a random program defines inside its functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.frames.fuzz.expressions import called, number
from tests.frames.fuzz.grammar import Callee, Lines, Spot, Writer, indented

Sequence = Callable[[Writer, int], Lines]


def _inner_spot(w: Writer, names: tuple[str, ...]) -> tuple[Spot, Lines]:
    """Return what is allowed in a nested function, and the lines it begins with."""
    shared = tuple(name for name in w.spot.targets if name in {"x", "y"})
    own = tuple(name for name in names if name not in shared)
    spot = Spot(
        names=(*w.spot.names, *own),
        targets=own,
        awaits=True,
        nested=w.spot.nested + 1,
    )
    if not shared or w.often(0.35):
        return spot, []
    taken = w.pick(shared)
    first = [f"{taken} = {taken} * 2 + 1"] if w.often(0.6) else []
    return replace(spot, targets=(*own, taken)), [f"nonlocal {taken}", *first]


def local_function(w: Writer, depth: int, sequence: Sequence) -> Lines:
    """Write an async function, and (most often) a call of it."""
    if w.spot.nested > 1 or not w.spot.awaits or not w.spend(4):
        return [f"note({w.serial()}, {w.name()})"]
    name, p, q = w.fresh("f"), w.fresh("p"), w.fresh("q")
    spot, lines = _inner_spot(w, (p, q))
    default = number(w, 1)
    with w.inside(spot):
        lines += sequence(w, min(depth, 2))
        lines.append(f"return {number(w, 2)}")
    header = f"async def {name}({p}, {q}={default}, *rest, **more):"
    callee = Callee(f"{name}({{}})", 1, 3)
    w.callees.append(callee)
    decorated = ["@again"] if w.often(0.15) else []
    made = [*decorated, header, *indented(lines)]
    return [*made, *_used(w, callee)] if w.often(0.8) else made


def _used(w: Writer, callee: Callee) -> Lines:
    """Write a call beside names that it may change, with no other await, or with others."""
    alone = w.often(0.6)
    argument = w.name() if alone else number(w, 1)
    call = f"await {callee.text.format(argument)}"
    name = w.target() if w.spot.targets else w.name()
    options = [
        f"note({w.serial()}, {name}, {call}, {name})",
        f"note({w.serial()}, [{name}, {call}], {name} + 1)",
        f"note({w.serial()}, both({name}, key={call}))",
        f"note({w.serial()}, {name} < {call} < {name} + 50)",
    ]
    if alone:
        options.append(f"note({w.serial()}, f'{{{name}}} {{{call}}} {{{name}}}')")
    if w.spot.targets:
        options += [
            f"{name} {w.pick(('+=', '-=', '^='))} {call}",
            f"{name} = {name} * 2 + {call}",
            f"b[{name}] = {name} - {call}",
            f"{name}, b.v = {name} + {call}, {name}",
        ]
    return [w.pick(options)]


def local_plain(w: Writer, _: int) -> Lines:
    """Write a plain function that shares variables, and (most often) a call of it."""
    if w.spot.nested > 1 or not w.spend(3):
        return [f"note({w.serial()}, {w.name()})"]
    name, p = w.fresh("s"), w.fresh("p")
    spot, lines = _inner_spot(w, (p,))
    with w.inside(replace(spot, awaits=False)):
        made = number(w, 2)
        lines += [f"{w.target()} = {number(w, 2)}", f"note({w.serial()}, {w.name()})"]
    w.functions.append(name)
    return [f"def {name}({p}):", *indented([*lines, f"return {made}"])]


def local_class(w: Writer, _: int) -> Lines:
    """Write a class with a method, use it, and most often forget it."""
    if w.spot.nested > 1 or not w.spot.awaits or not w.spend(4):
        return [f"note({w.serial()}, {w.name()})"]
    name = w.fresh("C")
    with w.at(replace(w.spot, awaits=False, walrus=False)):
        first, second, third = number(w, 1), number(w, 1), number(w, 1)
    lines = [
        f"class {name}:",
        f"    v = {first}",
        "    def go(self, p):",
        "        self.__p = p",
        f"        return self.__p + {name}.v + {second}",
        f"note({w.serial()}, {name}().go({third}))",
    ]
    return [*lines, f"del {name}"] if w.often(0.97) else lines


def by_hand(w: Writer, depth: int, sequence: Sequence) -> Lines:
    """Write an async generator that is taken step by step, and most often closed."""
    if not w.spot.awaits or not w.streams or not w.spend(3):
        return [f"note({w.serial()}, {w.name()})"]
    name = w.fresh("h")
    lines = [f"{name} = aiter({w.pick(w.streams).format(number(w, 1))})"]
    for _ in range(w.pick((1, 2, 3))):
        lines.append(f"note({w.serial()}, await anext({name}, {number(w, 1)}))")
        if w.often(0.5):
            with w.inside(w.spot):
                lines += sequence(w, min(depth, 1))
    told = f"getattr({name}, 'asend', None)"
    ending = w.pick(
        (
            [f"if {told}:", f"    note({w.serial()}, await {told}({number(w, 1)}))"],
            [f"if {told}:", f"    note({w.serial()}, await {name}.athrow(KeyError({w.serial()})))"],
            [f"if {told}:", f"    await {name}.aclose()"],
            [f"async for r in {name}:", f"    note({w.serial()}, r)"],
        )
    )
    if w.often(0.5):
        ending = ["try:", *indented(ending), "except StopAsyncIteration as over:", "    handled(0)"]
    return lines + ending


def deferred(w: Writer, depth: int, sequence: Sequence) -> Lines:
    """Write a call that is made now and awaited after other things, whatever happens to them."""
    if not w.spot.awaits or not w.callees or not w.spend(3):
        return [f"note({w.serial()}, {w.name()})"]
    name = w.fresh("d")
    made = called(w, w.pick(w.callees), 2)
    with w.inside(replace(w.spot, loop=False, returns=False)):
        between = sequence(w, min(depth, 1))
    last = f"note({w.serial()}, await {name})"
    return [f"{name} = {made}", "try:", *indented(between), "finally:", f"    {last}"]
