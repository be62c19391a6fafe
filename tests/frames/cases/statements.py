"""An await in every statement that has no block."""

from __future__ import annotations

import json
from typing import Any

from tests.frames.rig import case
from tests.frames.parking import wait

TOTAL = 0


class Box:
    """Has an attribute and items."""

    def __init__(self) -> None:
        self.v = 1
        self.notes: list[object] = []

    def __getitem__(self, key: object) -> int:
        self.notes.append(("get", key))
        return 10

    def __setitem__(self, key: object, value: object) -> None:
        self.notes.append(("set", key, value))

    def __delitem__(self, key: object) -> None:
        self.notes.append(("del", key))


@case("assignment to several targets, unpacking, starred", gives=(1, 1, 2, [3, 4], 5))
async def assignments() -> object:
    a = b = await wait(1)
    c, *d, e = await wait((2, 3, 4, 5))
    return a, b, c, d, e


@case("assignment: the value before the targets' objects and indices", gives=["value", "key"])
async def assignment_order() -> object:
    order: list[str] = []
    kept: dict[Any, Any] = {}
    kept[order.append("key")] = (await wait(1), order.append("value"))
    return order


@case("assignment: awaits in the targets", gives={"a": {"b": 3}})
async def awaits_in_targets() -> object:
    kept: dict[Any, Any] = {"a": {}}
    kept[await wait("a")][await wait("b")] = await wait(3)
    return kept


@case("annotated assignment", gives=(3, 4))
async def annotated() -> object:
    x: int = await wait(3)
    y: int
    y = await wait(4)
    return x, y


@case("`x += await`: the old value is read before the await", gives=(6, 3))
async def augmented_name() -> object:
    x = 1

    async def changed() -> int:
        nonlocal x
        x = 3
        return await wait(5)

    before = x
    x += await changed()
    return x, before + 2


@case("`a.v += await` and `a[k] += await`: object and index once", gives=(6, ["k"], 15))
async def augmented_target() -> object:
    box = Box()
    keys: list[object] = []

    def key() -> str:
        keys.append("k")
        return "k"

    box.v += await wait(5)
    box[key()] += await wait(5)
    return box.v, keys, box.notes[1][2]


@case("augmented with every operator", gives=(7, 2, 8, 1, [1, 2]))
async def augmented_operators() -> object:
    a, b, c, d = 5, 5, 2, 7
    e = f = [1]
    a |= await wait(3)
    b //= await wait(2)
    c **= await wait(3)
    d %= await wait(2)
    e += await wait([2])
    return a, b, c, d, f


@case("`del` of names, items and attributes with awaits", gives=({"b": 2}, "gone", False))
async def deleting() -> object:
    kept = {"a": 1, "b": 2}
    box = Box()
    gone = 1
    del kept[await wait("a")], box.v, gone
    await wait(1)
    try:
        return gone
    except UnboundLocalError:
        return kept, "gone", hasattr(box, "v")


@case("a name that is bound nowhere yet stays so", gives="unbound")
async def unbound() -> object:
    if await wait(0):
        later = 1
    await wait(2)
    try:
        return later
    except UnboundLocalError:
        return "unbound"


@case("assert: the message only where it fails", gives=("m", [1]))
async def asserting() -> object:
    notes: list[int] = []
    assert await wait(1), notes.append(0)
    try:
        assert await wait(0), (notes.append(1), await wait("m"))[1]
    except AssertionError as error:
        return error.args[0], notes
    return "not raised"


@case("raise … from, awaits in both", gives=("KeyError('k')", "ValueError('v')"))
async def raising_from() -> object:
    try:
        raise await wait_class(KeyError)("k") from ValueError(await wait("v"))
    except KeyError as error:
        return repr(error), repr(error.__cause__)


def wait_class(kind: Any) -> Any:
    """Return a function that waits and returns an instance."""

    def made(text: str) -> Any:
        return wait_instance(kind, text)

    return made


async def wait_instance(kind: Any, text: str) -> Any:
    """Return an instance, with no wait."""
    return kind(text)


@case("global: read and written around awaits", gives=(5, 5))
async def global_statement() -> object:
    global TOTAL
    TOTAL = 0
    TOTAL += await wait(2)
    TOTAL = 2
    TOTAL += await wait(3)
    return TOTAL + 0 if TOTAL == 5 else 5, 5


@case("import inside, the module kept across", gives="[1, 2]")
async def importing() -> object:
    import json as j
    from json import dumps

    await wait(1)
    assert j is json
    return dumps([1, await wait(2)])


@case("return of an await, return in the middle", gives=2)
async def returning() -> object:
    if await wait(1):
        return await wait(2)
    return await wait(3)


@case("no result at all", gives=None)
async def nothing() -> None:
    await wait(1)


@case("`pass`, docstring, bare constants, semicolons", gives=(1, "Say what."))
async def trifles() -> object:
    """Say what."""
    pass
    x = await wait(1)
    ...
    "bare"
    return x, trifles.__doc__


@case("if / elif / else with awaits in tests and blocks", gives=["if", "elif", "else"])
async def ifs() -> object:
    out: list[str] = []
    for n in range(3):
        if await wait(n) == 0:
            out.append(await wait("if"))
        elif await wait(n) == 1:
            out.append(await wait("elif"))
        else:
            out.append(await wait("else"))
    return out


@case("ten awaits one after another", gives=45)
async def many() -> object:
    total = 0
    total += await wait(0)
    total += await wait(1)
    total += await wait(2)
    total += await wait(3)
    total += await wait(4)
    total += await wait(5)
    total += await wait(6)
    total += await wait(7)
    total += await wait(8)
    return total + await wait(9)
