"""What may stand in a local across a wait, and what is refused by its name."""

from __future__ import annotations

import contextvars
import enum
import io
import logging
import re
import socket
import tempfile
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from headrace import frames
from tests.frames.rig import Refused, case, resumable
from tests.frames.parking import wait

LOG = logging.getLogger("tests.frames.cases")
SPEAKER: contextvars.ContextVar[str] = contextvars.ContextVar("SPEAKER", default="nobody")


class Colour(enum.Enum):
    RED = 1


class Flags(enum.Flag):
    A = 1
    B = 2


@dataclass(frozen=True, slots=True)
class Order:
    id: int
    lines: tuple[str, ...] = ()


@dataclass
class Node:
    name: str
    others: list[Node] = field(default_factory=list["Node"])


class Item(msgspec.Struct, frozen=True):
    name: str


class Pair(NamedTuple):
    a: int
    b: int


@case(
    "numbers, text, bytes, containers, None", gives=(1, 2.5, "t", b"b", [1], {"k": (2,)}, [3], None)
)
async def plain_data() -> object:
    a, b, c, d, e, f, g, h = 1, 2.5, "t", b"b", [1], {"k": (2,)}, {3}, None
    await wait(0)
    return a, b, c, d, e, f, list(g), h


@case("one object in two locals stays one", gives=[1, 2])
async def shared_object() -> object:
    a = [1]
    b = a
    await wait(0)
    b.append(2)
    return a


@case("one object in two frames stays one", gives=[1, 2, 3])
async def shared_across_frames() -> object:
    kept = [1]
    await filled(kept)
    kept.append(3)
    return kept


@resumable
async def filled(kept: list[int]) -> None:
    """Add two, after a wait."""
    await wait(0)
    kept.append(2)


@case("objects that refer to themselves", gives=(True, "b"))
async def cycle() -> object:
    a, b = Node("a"), Node("b")
    a.others.append(b)
    b.others.append(a)
    await wait(0)
    return a.others[0].others[0] is a, a.others[0].name


@case("dataclasses, named tuples, msgspec structs", gives=(Order(1, ("x",)), Pair(1, 2), Item("i")))
async def records() -> object:
    order, pair, item = Order(1, ("x",)), Pair(1, 2), Item("i")
    await wait(0)
    return order, pair, item


@case("enums keep their identity", gives=(True, True))
async def enums() -> object:
    colour, flags = Colour.RED, Flags.A | Flags.B
    await wait(0)
    return colour is Colour.RED, flags is Flags.A | Flags.B


@case("the standard library's values", gives=[1, 2, 1, 1, "1.5", 2026, "a.txt", 60.0, "a+"])
async def standard_values() -> object:
    many = defaultdict(list[int], {1: [1]})
    ring, counts, ordered = deque([1, 2]), Counter("a"), OrderedDict(a=1)
    price, when, path = Decimal("1.5"), datetime(2026, 1, 1, tzinfo=UTC), Path("a.txt")
    span, pattern, uid = timedelta(minutes=1), re.compile("a+"), UUID(int=1)
    await wait(0)
    assert uid.int == 1
    one = [len(many), ring[1], counts["a"], ordered["a"], str(price), when.year]
    return [*one, str(path), span.total_seconds(), pattern.pattern]


@case("iterators half read", gives=[[2, 3], [(1, "b")], [1, 0], ["b"], [1, 2]])
async def iterators() -> object:
    a, b, c = iter([1, 2, 3]), enumerate("ab"), reversed([0, 1, 2])
    d, e = iter({"a": 1, "b": 2}), iter(range(3))
    for iterator in (a, b, c, d, e):
        next(iterator)
    del iterator
    await wait(0)
    return [list(a), list(b), list(c), list(d), list(e)]


@case(
    "modules, functions, classes and loggers by name",
    gives=("Order", "x", "tests.frames.cases", "re"),
)
async def by_name() -> object:
    module, function, kind, log = re, str.lower, Order, LOG
    await wait(0)
    return kind.__name__, function("X"), log.name, module.__name__


@case("functools.partial and bound methods of builtins", gives=([1, 2], 5))
async def bound_things() -> object:
    kept = [1]
    add, five = kept.append, partial(int, "5")
    await wait(0)
    add(2)
    return kept, five()


def path_of(name: str) -> Path:
    """Return a file that both processes find."""
    return Path(tempfile.gettempdir(), f"headrace-frames-{name}.txt")


@case("an open file, written further", gives="hi more")
async def open_file() -> object:
    path = path_of("written")
    with path.open("w", encoding="utf-8") as file:
        file.write("hi")
        file.flush()
        await wait(0)
        file.write(" more")
    return path.read_text("utf-8")


@case("an open file, read further", gives=["one\n", "two\n"])
async def file_read() -> object:
    path = path_of("read")
    path.write_text("one\ntwo\n", "utf-8")
    with path.open(encoding="utf-8") as file:
        first = file.readline()
        await wait(0)
        return [first, file.readline()]


@case("StringIO and BytesIO", gives=("ab", b"cd"))
async def in_memory_files() -> object:
    text, raw = io.StringIO(), io.BytesIO()
    text.write("a")
    raw.write(b"c")
    await wait(0)
    text.write("b")
    raw.write(b"d")
    return text.getvalue(), raw.getvalue()


@case("a context variable in a local, by name", gives="nobody")
async def context_variable() -> object:
    variable = SPEAKER
    await wait(0)
    return variable.get()


@case("resource(): opened again in the new process", gives=(["opened"], ["opened"]))
async def resources() -> object:
    held = frames.resource(opened)
    one = held.get()
    await wait(0)
    return one, held.get()


def opened() -> list[str]:
    """Be what is opened."""
    return ["opened"]


@case("a lock in a local is refused", gives=Refused(("lock", "locked", "values.py")))
async def locked() -> object:
    lock = threading.Lock()
    await wait(0)
    return lock.locked()


@case("a socket in a local is refused", gives=Refused(("plug", "connected", "values.py")))
async def connected() -> object:
    with socket.socket() as plug:
        await wait(0)
        return plug.fileno() > 0


@case("a generator in a local is refused", gives=Refused(("numbers", "generating", "generator")))
async def generating() -> object:
    numbers = (n for n in range(3))
    await wait(0)
    return list(numbers)


@case("for over a generator is refused", gives=Refused(("looping", "generator")))
async def looping() -> object:
    out: list[int] = []
    for n in (m for m in range(2)):
        out.append(await wait(n))
    return out


@case(
    "an instance of a local class is refused", gives=Refused(("Local", "local_class", "values.py"))
)
async def local_class() -> object:
    class Local:
        pass

    thing = Local()
    await wait(0)
    return type(thing).__name__


@case("deep inside: the refusal names the way to it", gives=Refused(("nested", "deep", "lock")))
async def deep() -> object:
    nested = {"a": [Node("n"), {"lock": threading.Lock()}]}
    await wait(0)
    return len(nested)


@case("an awaited function that is not resumable is refused", gives=Refused(("outsider",)))
async def untransformed() -> object:
    return await OUTSIDE["outsider"](1)


def _outsider() -> Any:
    """Make a function that neither the decorator nor the hook has seen."""
    source = "async def outsider(n):\n    return await wait(n)\n"
    code = compile(source, "outside.py", "single")
    space: dict[str, Any] = {"wait": wait}
    made = next(c for c in code.co_consts if hasattr(c, "co_code"))
    return type(_outsider)(made, space, "outsider")


OUTSIDE = {"outsider": _outsider()}
