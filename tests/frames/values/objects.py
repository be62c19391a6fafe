"""Objects: dataclasses, models, structs, enum members, and whatever says itself how it is saved."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import pydantic

from tests.frames.values.registry import Values, saved

T = TypeVar("T")


@dataclass
class Node:
    name: str
    next: Node | None = None
    made: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.made.append("made")


@dataclass(frozen=True, slots=True)
class Frozen:
    x: int
    more: tuple[int, ...] = ()


def _dataclasses(_: Path) -> Values:
    node = Node("a")
    node.next = node
    return {"node": node, "frozen": Frozen(1, (2,)), "keys": {Frozen(3): node}}


@saved(_dataclasses)
def dataclasses_are_not_made_anew(v: Values) -> None:
    assert v["node"].next is v["node"]
    assert v["node"].made == ["made"]
    assert v["frozen"] == Frozen(1, (2,))
    assert v["keys"][Frozen(3)] is v["node"]


class Model(pydantic.BaseModel):
    x: int
    inner: Model | None = None
    _secret: int = pydantic.PrivateAttr(default=0)

    def keep(self, secret: int) -> None:
        self._secret = secret

    def kept(self) -> int:
        return self._secret


class Box(pydantic.BaseModel, Generic[T]):
    item: T


def _models(_: Path) -> Values:
    model = Model(x=1)
    model.keep(5)
    model.inner = model
    made_here = Box[tuple[int, str]](item=(1, "a"))
    return {"model": model, "box": made_here, "cls": Box[tuple[int, str]]}


@saved(_models)
def pydantic_models_are_whole(v: Values) -> None:
    assert (v["model"].x, v["model"].kept(), v["model"].model_fields_set) == (1, 5, {"x", "inner"})
    assert v["model"].inner is v["model"]
    assert v["box"] == Box[tuple[int, str]](item=(1, "a"))
    assert type(v["box"]) is v["cls"]


class Struct(msgspec.Struct):
    x: int
    me: Any = None


class Stone(msgspec.Struct, frozen=True, kw_only=True, tag="stone"):
    x: int
    more: list[Any] = []


class Checked(msgspec.Struct, dict=True):
    x: int

    def __post_init__(self) -> None:
        assert isinstance(self.x, int)


class Loose(msgspec.Struct, dict=True):
    x: int


def _structs(_: Path) -> Values:
    struct = Struct(1)
    struct.me = [struct]
    stone = Stone(x=2, more=[])
    stone.more.append(stone)
    loose = Loose(3)
    vars(loose)["beside"] = 4
    return {"struct": struct, "stone": stone, "checked": Checked(5), "loose": loose}


@saved(_structs)
def msgspec_structs_are_whole(v: Values) -> None:
    assert v["struct"].me[0] is v["struct"]
    assert v["stone"].more[0] is v["stone"]
    assert v["checked"] == Checked(5)
    assert (v["loose"].x, v["loose"].__dict__) == (3, {"beside": 4})


class Color(enum.Enum):
    RED = enum.member(partial(print))
    GREEN = object()


class Bits(enum.Flag):
    A = 1
    B = 2
    C = 4


class Number(int, enum.Enum):
    ONE = 1


class Word(enum.StrEnum):
    YES = "yes"


ENUMS: list[Any] = [Color.RED, Color.GREEN, Bits.A, Bits.A | Bits.C, Bits(0), Number.ONE, Word.YES]


@saved(lambda _: {"members": ENUMS})
def enum_members_are_the_members(v: Values) -> None:
    assert all(ours is theirs for ours, theirs in zip(ENUMS, v["members"], strict=True))


class Says:
    """A class with its own way of being saved, which is kept."""

    def __init__(self, x: int) -> None:
        self.x = x

    def __getstate__(self) -> tuple[int]:
        return (self.x + 1,)

    def __setstate__(self, state: tuple[int]) -> None:
        (self.x,) = state


class Slots:
    __slots__ = ("__weakref__", "a", "b")

    def __init__(self, a: object) -> None:
        self.a = a


class Listed(list[int]):
    def __init__(self, name: str) -> None:
        super().__init__([1])
        self.name = name


def _ways(_: Path) -> Values:
    slots = Slots(None)
    slots.a = slots
    return {"says": Says(1), "slots": slots, "listed": Listed("n")}


@saved(_ways)
def what_a_class_says_itself_counts(v: Values) -> None:
    assert v["says"].x == 2
    assert v["slots"].a is v["slots"]
    assert not hasattr(v["slots"], "b")
    assert (v["listed"], v["listed"].name) == ([1], "n")
