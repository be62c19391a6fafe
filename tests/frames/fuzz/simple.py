"""Random statements without a block of their own."""

from __future__ import annotations

from typing import Final

from tests.frames.fuzz.expressions import awaited, number, truth
from tests.frames.fuzz.grammar import ERRORS, Lines, Statement, Writer


def value(w: Writer, depth: int) -> str:
    """Write a value, most often one with an await in it."""
    return awaited(w, depth) if w.often(0.75) else number(w, depth)


def _assign(w: Writer, depth: int) -> Lines:
    if not w.spot.targets:
        return _effect(w, depth)
    return [f"{w.target()} = {value(w, depth)}"]


def _assign_more(w: Writer, depth: int) -> Lines:
    if not w.spot.targets:
        return _effect(w, depth)
    a, b = w.target(), w.target()
    made = f"{value(w, depth)}, {value(w, depth - 1)}"
    options = (
        f"{a} = {b} = {value(w, depth)}",
        f"{a}, {b} = {made}",
        f"{a}, *r = {made}, {value(w, depth - 1)}",
        f"({a}, [r, {b}]) = {value(w, depth - 1)}, ({made})",
        f"{a} = b.v = {value(w, depth)}",
    )
    return [w.pick(options)]


def _assign_target(w: Writer, depth: int) -> Lines:
    made, key = value(w, depth), value(w, depth - 1)
    options = (
        f"b[{key}] = {made}",
        f"b.self()[n({w.serial()}, {w.name()})] = {made}",
        f"b.self().v = {made}",
        f"b[{key}], b.v = {made}, {number(w, depth - 1)}",
    )
    return [w.pick(options)]


def _augment(w: Writer, depth: int) -> Lines:
    operator = w.pick(("+=", "-=", "*=", "|=", "^=", "&="))
    made = value(w, depth)
    options = [
        f"b.v {operator} {made}",
        f"b['k'] {operator} {made}",
        f"b.self()[n({w.serial()}, {w.name()})] {operator} {made}",
        f"b[{value(w, depth - 1)}] {operator} {made}",
        f"b.self().v {operator} {made}",
        f"G {operator} {made}" if "G" in w.spot.targets else f"b.v {operator} {made}",
    ]
    if w.spot.targets:
        options += [f"{w.target()} {operator} {made}"] * 4
    return [w.pick(options), *_bounded(w)]


def _bounded(w: Writer) -> Lines:
    """Keep numbers small."""
    return [f"{name} %= 1009" for name in w.spot.targets[:1]] + ["b.v %= 1009"]


def _effect(w: Writer, depth: int) -> Lines:
    return [f"note({w.serial()}, {value(w, depth)}, {w.name()})"]


def _annotated(w: Writer, depth: int) -> Lines:
    name = w.fresh("t")
    return [f"{name}: int", f"{name}: int = {value(w, depth)}", f"note({w.serial()}, {name})"]


def _slices(w: Writer, depth: int) -> Lines:
    made = f"[{value(w, depth - 1)}, {number(w, depth - 1)}]"
    low, high = value(w, depth - 1), number(w, depth - 1)
    options = (
        f"many[{low} % 3:{high} % 4] = {made}",
        f"many[{low} % 3:] += {made}",
        f"del many[{low} % 3:{high} % 4]",
        f"many[{low} % 3::2], {w.target() if w.spot.targets else '_'} = [], {high}",
    )
    # An extended slice of another length is an error: that is seen as well.
    return ["many = [1, 2, 3, 4]", w.pick(options), f"note({w.serial()}, many)"]


def _bare(w: Writer, depth: int) -> Lines:
    return [awaited(w, depth)]


def _handled(w: Writer, _: int) -> Lines:
    return [f"handled({w.serial()})"]


def _assert(w: Writer, depth: int) -> Lines:
    return [f"assert {truth(w, depth)}, {value(w, depth - 1)}"]


def _delete(w: Writer, depth: int) -> Lines:
    if w.often(0.5) or not w.spot.targets or w.spot.yields:
        return [w.pick((f"del b[{value(w, depth)}]", f"del b.self()[{value(w, depth)}]"))]
    name = w.target()
    at = w.serial()
    return [
        f"del {name}",
        f"note({at}, await wait({at}))" if w.spot.awaits else f"note({at})",
        "try:",
        f"    note({name})",
        "except NameError as unbound:",
        "    note(type(unbound).__name__)",
        f"{name} = {at}",
    ]


def _raise(w: Writer, depth: int) -> Lines:
    kind = w.pick(ERRORS)
    made = value(w, depth - 1)
    error = f"Oops({made}, why='w')" if kind == "Oops" else f"{kind}({made})"
    tail = w.pick(("", "", "", " from None", f" from ValueError({number(w, depth - 1)})"))
    return [f"if {truth(w, depth - 1)}:", f"    raise {error}{tail}"]


def _again(w: Writer, depth: int) -> Lines:
    if not w.spot.handler and w.often(0.8):
        return _effect(w, depth)
    return ["raise"] if w.often(0.5) else [f"if {truth(w, depth - 1)}:", "    raise"]


def _return(w: Writer, depth: int) -> Lines:
    if not w.spot.returns:
        return _effect(w, depth)
    made = "return" if w.spot.yields else f"return {value(w, depth)}"
    return [made] if w.often(0.3) else [f"if {truth(w, depth - 1)}:", f"    {made}"]


def _leave(w: Writer, depth: int) -> Lines:
    if not w.spot.loop:
        return _effect(w, depth)
    word = w.pick(("break", "continue"))
    return [word] if w.often(0.3) else [f"if {truth(w, depth - 1)}:", f"    {word}"]


def _yield(w: Writer, depth: int) -> Lines:
    if not w.spot.yields:
        return _assign(w, depth)
    made = value(w, depth)
    options = [f"yield {made}", f"note({w.serial()}, (yield {made}))"]
    if w.spot.targets:
        options.append(f"{w.target()} = number((yield {made}))")
        options.append(f"{w.target()} = both({w.name()}, (yield {made}), {value(w, depth - 1)})")
    return [w.pick(options)]


def _kept(w: Writer, depth: int) -> Lines:
    """Keep a function in a local, over whatever is awaited afterwards."""
    if not w.spot.awaits:
        return _effect(w, depth)
    name = w.fresh("k")
    default = number(w, depth - 1)
    options = (
        f"lambda q, r={default}: q + r + {w.name()}",
        f"partial(both, {default})",
        f"(lambda p: lambda q: p + q + {w.name()})({default})",
        "b.add",
    )
    w.functions.append(name)
    return [f"{name} = {w.pick(options)}"]


def _shared(w: Writer, depth: int) -> Lines:
    """Read what a call may change to the left of it, where nothing else is awaited."""
    if not w.callees or not w.spot.awaits:
        return _effect(w, depth)
    name = w.pick((*w.spot.targets, "G", "G"))
    call = f"await {w.pick(w.callees).text.format(w.name())}"
    options = (
        f"note({w.serial()}, {name} + {call})",
        f"note({w.serial()}, {name}, {call}, {name})",
        f"note({w.serial()}, [{name}, both({name}, {call})])",
    )
    return [w.pick(options)]


def _imported(w: Writer, depth: int) -> Lines:
    return ["import math as m", f"note({w.serial()}, m.floor({value(w, depth)}))"]


SIMPLE: Final[tuple[Statement, ...]] = (
    *((_assign,) * 5),
    *((_augment,) * 3),
    *((_effect,) * 4),
    *((_leave,) * 3),
    *((_yield,) * 4),
    _assign_more,
    _assign_more,
    _assign_target,
    _annotated,
    _slices,
    _bare,
    _bare,
    _handled,
    _assert,
    _delete,
    _raise,
    _raise,
    _again,
    _return,
    _return,
    _shared,
    _shared,
    _kept,
    _imported,
)


def simple(w: Writer, depth: int) -> Lines:
    """Write one of them."""
    return w.pick(SIMPLE)(w, depth)
