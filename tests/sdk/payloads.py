"""A type of every kind that a payload may have."""

import dataclasses
import enum
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple, NewType, TypedDict

import msgspec
from pydantic import BaseModel


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclasses.dataclass
class Item:
    name: str
    when: datetime
    price: Decimal = Decimal(0)
    tags: set[str] = dataclasses.field(default_factory=set[str])


@dataclasses.dataclass
class Order:
    items: list[Item]
    by: uuid.UUID
    colour: Colour = Colour.RED
    note: str | None = None
    extra: Any = None


class Line(TypedDict):
    text: str
    level: Level


class Move(msgspec.Struct, frozen=True):
    x: int
    y: float = 0.0


class Left(msgspec.Struct, frozen=True, tag=True):
    steps: int


class Right(msgspec.Struct, frozen=True, tag=True):
    steps: int


class Approval(BaseModel):
    approved: bool
    reviewer: str
    at: datetime | None = None


class Review(BaseModel):
    approvals: list[Approval] = []
    move: tuple[int, int] = (0, 0)


class Pair(NamedTuple):
    one: int
    two: str


@dataclasses.dataclass
class Holder:
    approval: Approval


@dataclasses.dataclass
class Accept:
    by: str


@dataclasses.dataclass
class Reject:
    by: str
    why: str = ""


@dataclasses.dataclass
class Tree:
    value: int
    below: "list[Tree]" = dataclasses.field(default_factory=list["Tree"])


UserId = NewType("UserId", int)
NOW = datetime(2026, 3, 1, 12, 30, 0, 5, tzinfo=UTC)
changed: Any = dataclasses.replace  # also to what the types do not allow
ORDER = Order([Item("a", NOW, Decimal("1.50"), {"x", "y"})], uuid.UUID(int=7), Colour.BLUE)
