"""An await at every place an expression has, and what stood left of it is done before it."""

from __future__ import annotations

from typing import Any

from tests.frames.rig import case, resumable
from tests.frames.parking import wait


class Noting:
    """Every way of touching it leaves a note."""

    def __init__(self, notes: list[object]) -> None:
        self.notes = notes

    def __getitem__(self, key: object) -> Noting:
        self.notes.append(("get", key))
        return self

    def __getattr__(self, name: str) -> Noting:
        if name.startswith("__") or name == "notes":
            raise AttributeError(name)
        self.notes.append(("attr", name))
        return self

    def __call__(self, *args: object, **kwargs: object) -> Noting:
        self.notes.append(("call", args, kwargs))
        return self

    def __eq__(self, other: object) -> bool:
        self.notes.append(("eq", other))
        return True

    def __hash__(self) -> int:
        return 1


COUNT = 1


def noted(notes: list[object], value: Any) -> Any:
    """Leave a note and return the value."""
    notes.append(value)
    return value


@case("call: awaits in positional and keyword arguments", gives=(1, 2, ("c", 3)))
async def call_arguments() -> object:
    return tuple_of(await wait(1), await wait(2), c=await wait(3))


@case("call: arguments left of an await are evaluated before it", gives=[1, 2, 3, (1, 2, 3)])
async def call_order() -> object:
    notes: list[object] = []
    result = tuple_of(noted(notes, 1), await wait(noted(notes, 2)), noted(notes, 3))
    return [*notes, result]


def tuple_of(*args: object, **kwargs: object) -> tuple[object, ...]:
    """Return what it was called with."""
    return (*args, *sorted(kwargs.items()))


@case("call: the callable is looked up before its arguments", gives="first")
async def call_callable_first() -> object:
    def first(_: object) -> str:
        return "first"

    def second(_: object) -> str:
        return "second"

    chosen = first
    result = chosen([await wait(1), chosen := second])
    return result if chosen is second else "not assigned"


@case("call: the method is looked up before its arguments", gives=([1, 2], []))
async def call_method_first() -> object:
    kept: list[int] = [1]
    target = kept
    target.append((await wait(2), target := list[int]())[0])
    return kept, target


@case(
    "call: starred and double-starred arguments in their order",
    gives=(0, 1, 2, 3, ("k", 4), ("m", 5)),
)
async def call_starred() -> object:
    rest = [1, 2]
    more = {"k": 4}
    return tuple_of(0, *rest, await wait(3), **more, m=await wait(5))


@case("call: keywords both explicit and unpacked around an await", gives=(("a", 1), ("b", 2)))
async def call_keywords_unpacked() -> object:
    return tuple_of(**{"b": await wait(2)}, a=await wait(1))


@case("call: a bound method survives as what it is bound to", gives=[1, 2, 7])
async def call_bound_method() -> object:
    kept = [1, 2]
    put = kept.append
    put(await wait(7))
    return kept


@case("binary operators keep left before right", gives=(7, [1, 2, 3, 1]))
async def binary_operators() -> object:
    notes: list[object] = []
    total = noted(notes, 1) + await wait(noted(notes, 2)) * noted(notes, 3)
    return total, [*notes, 1]


@case("unary operators", gives=(-3, False, ~4))
async def unary_operators() -> object:
    return -await wait(3), not await wait(True), ~await wait(4)


@case("await of an await's result", gives=9)
async def await_of_await() -> object:
    return await (await wait(wait_later))(9)


def wait_later(value: int) -> Any:
    """Return something to await."""
    return wait(value)


@case("`and` stops at the first false value", gives=(0, [1, 0]))
async def bool_and() -> object:
    notes: list[object] = []
    value = noted(notes, await wait(1)) and noted(notes, await wait(0)) and noted(notes, 2)
    return value, notes


@case("`or` stops at the first true value", gives=(2, [0, 2]))
async def bool_or() -> object:
    notes: list[object] = []
    value = noted(notes, await wait(0)) or noted(notes, await wait(2)) or noted(notes, 3)
    return value, notes


@case("`and` in `or` in `not`, awaits at each", gives=(False, [0, 1, 2]))
async def bool_nested() -> object:
    notes: list[object] = []
    value = not (
        (noted(notes, await wait(0)) and noted(notes, await wait(9)))
        or (noted(notes, await wait(1)) and noted(notes, await wait(2)))
    )
    return value, notes


@case("conditional expression: test, body or orelse", gives=["yes", "no", [1, 0]])
async def conditional() -> object:
    notes: list[object] = []
    out: list[object] = []
    for flag in (1, 0):
        answer = await wait("yes") if noted(notes, await wait(flag)) else await wait("no")
        out.append(answer)
    return [*out, notes]


@case("comparison chain: each operand once", gives=(True, [1, 2, 3]))
async def chain_once() -> object:
    notes: list[object] = []
    value = noted(notes, 1) < noted(notes, await wait(2)) < noted(notes, await wait(3))
    return value, notes


@case("comparison chain: short circuit", gives=(False, [3, 2]))
async def chain_short() -> object:
    notes: list[object] = []
    value = noted(notes, 3) < noted(notes, await wait(2)) < noted(notes, await wait(9))
    return value, notes


@case("comparison: `in`, `not in`, `is`, `is not`", gives=(True, False, True, False))
async def chain_other() -> object:
    a = await wait(1) in [await wait(1)]
    b = await wait(1) not in [await wait(1)]
    return a, b, await wait(None) is None, await wait(None) is not None


@case("list, tuple and set displays with starred parts", gives=([1, 2, 3, 4], (1, 2, 5), 2))
async def displays() -> object:
    some = [2, 3]
    one = [1, *some, await wait(4)]
    two = (1, *(2,), await wait(5))
    return one, two, len({await wait(1), *(1, 2), await wait(2)})


@case("dict display: key before value, `**` in its place", gives=({"a": 2, "c": 4}, list("abcd")))
async def dict_display() -> object:
    notes: list[object] = []
    made = {
        noted(notes, "a"): await wait(1) if noted(notes, "b") else 0,
        **{"a": 2},
        (await wait("c") if noted(notes, "c") else 0): await wait(4) if noted(notes, "d") else 0,
    }
    return made, notes


@case("subscript with an await in the index, and in the object", gives=(20, 30))
async def subscripts() -> object:
    values = [10, 20, 30]
    return values[await wait(1)], (await wait([10, 20, 30]))[2]


@case("slices with awaits at each bound", gives=([1, 3], [0, 1], [4, 3, 2, 1, 0]))
async def slices() -> object:
    values = [0, 1, 2, 3, 4]
    one = values[await wait(1) : await wait(4) : await wait(2)]
    return one, values[: await wait(2)], values[:: await wait(-1)]


@case("attribute chains, calls and items around an await", gives=("attr", "call", "get", 6))
async def attribute_chain() -> object:
    notes: list[Any] = []
    thing = Noting(notes)
    thing.a(await wait(5))[await wait(6)].b(1)
    return notes[0][0], notes[1][0], notes[2][0], notes[2][1]


@case("f-string: earlier parts are formatted first", gives="1[1]-2!-'x'-003-[1, 5]")
async def f_string() -> object:
    kept = [1]
    text = f"{len(kept)}{kept}-{await wait(2)}!-{await wait('x')!r}-{await wait(3):03}"
    kept.append(5)
    return text + f"-{kept}"


@case("f-string: awaits in the format, nested", gives="  7|00007|x=3")
async def f_string_format() -> object:
    x = 3
    return f"{7:{await wait(3)}}|{await wait(7):0{await wait(5)}}|{x=}"


@case("f-string: a part that changes before the await is formatted before it", gives="1 2 1,9")
async def f_string_order() -> object:
    kept = [1]
    text = f"{','.join(map(str, kept))} {await wait(2)} {','.join(map(str, [*kept, 9]))}"
    kept.append(3)
    return text


@case("walrus with an await, used further right", gives=(4, 8, 4))
async def walrus() -> object:
    return (x := await wait(4)), x + await wait(4), x


@case("walrus in a test", gives=[1, 2, 3])
async def walrus_test() -> object:
    out: list[int] = []
    n = 0
    while (n := await wait(n + 1)) < 4:
        out.append(n)
    return out


@case("a name changed during the await counts as it was before", gives=(11, 2))
async def name_before_await() -> object:
    x = 1

    async def changed() -> int:
        nonlocal x
        x = await wait(2)
        return 10

    return x + await changed(), x


@case("a name that was changed before the suspension counts as it was", gives=(11, 5, [5, 6], 16))
async def name_changed_then_suspended() -> object:
    x = 1

    async def changed(n: int) -> int:
        nonlocal x
        x = n
        return await wait(10)

    total = x + await changed(5)
    before = x
    pair = [x, (await changed(6)) - 4]
    x += await changed(7)
    return total, before, pair, x


@case("a global that was changed before the suspension counts as it was", gives=(11, 16, "1 10"))
async def global_changed_then_suspended() -> object:
    global COUNT
    COUNT = 1
    total = COUNT + await counted_up(5)
    COUNT = 6
    COUNT += await counted_up(7)
    after, COUNT = COUNT, 1
    text = f"{COUNT} {await counted_up(9)}"
    return total, after, text


@resumable
async def counted_up(n: int) -> int:
    """Change the global, then wait."""
    global COUNT
    COUNT = n
    return await wait(10)


@case("a name that a walrus binds to the right of it", gives=(16, [1, 5, 6], 5))
async def name_before_walrus() -> object:
    x = 1
    total = x + (x := await wait(5)) * 2 + x
    y = 1
    return total, [y, y := await wait(5), await wait(6)], y


@case("a global changed during the await counts as it was before", gives=11)
async def global_before_await() -> object:
    return COUNTER["n"] + await wait(10)


COUNTER = {"n": 1}


@case("lambda called with an await; lambda kept across one", gives=(3, 12))
async def lambdas() -> object:
    k = 2
    plus = lambda q: q + k
    k = 10
    return (lambda q: q)(await wait(3)), plus(await wait(2))


@case("an await in an argument of an await, three deep", gives=[1, [2, [3]]])
async def nested_awaits() -> object:
    return await wait([1, await wait([2, await wait([3])])])


@case(
    "values on the evaluation stack of every kind at once", gives=[6, "b", (1, 2), {"k": 3}, True]
)
async def whole_stack() -> object:
    x = 5
    return [x + 1, "ab"[1], (1, x - 3), {"k": min(3, await wait(9))}, 1 < await wait(2) < 3]


@case("an error raised into the middle of an expression", gives=("caught", [1]))
async def error_into_expression() -> object:
    notes: list[object] = []
    try:
        tuple_of(noted(notes, 1), await wait(ValueError("v")), noted(notes, 2))
    except ValueError:
        return "caught", notes
    return "not raised"
