"""Every payload type of a stream and of a task is inferred, by both type checkers."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypedDict, assert_type

import msgspec
from pydantic import BaseModel

from headrace import InputStream, OutputStream, streams, task


class Model(BaseModel):
    a: int


@dataclass
class Data:
    a: int


class Typed(TypedDict):
    a: int


class Packed(msgspec.Struct):
    a: int


class Colour(Enum):
    RED = 1


assert_type(streams.input("a", Model), InputStream[Model])
assert_type(streams.input("b", Data), InputStream[Data])
assert_type(streams.input("c", Typed), InputStream[Typed])
assert_type(streams.input("d", Packed), InputStream[Packed])
assert_type(streams.input("e", Model | Data), InputStream[Model | Data])
assert_type(streams.input("f", Data | None), InputStream[Data | None])
assert_type(streams.input("g", Literal["yes", "no"]), InputStream[Literal["yes", "no"]])
assert_type(streams.input("h", list[int]), InputStream[list[int]])
assert_type(streams.input("i", dict[str, Model]), InputStream[dict[str, Model]])
assert_type(streams.input("j", tuple[int, str]), InputStream[tuple[int, str]])
assert_type(streams.input("k", str), InputStream[str])
assert_type(streams.input("l", Colour), InputStream[Colour])
assert_type(streams.input("m", Any), InputStream[Any])
assert_type(streams.input("n"), InputStream[Any])
assert_type(streams.input("o", trusted=True), InputStream[Any])
assert_type(streams.input("p", str, on_invalid="raise", trusted=True), InputStream[str])
assert_type(InputStream("q", Model | Data), InputStream[Model | Data])
assert_type(InputStream("r"), InputStream[Any])

assert_type(streams.output("s", Model | Data), OutputStream[Model | Data])
assert_type(streams.output("t", Literal["a"]), OutputStream[Literal["a"]])
assert_type(streams.output("u", list[Packed]), OutputStream[list[Packed]])
assert_type(streams.output("v"), OutputStream[Any])


@task
async def of_union(_payload: Model | Data) -> Literal["yes", "no"]:
    return "yes"


@task
async def of_typed(_payload: Typed) -> list[Packed]:
    return []


async def results() -> None:
    assert_type(await (await of_union.trigger(Data(1))).result(), Literal["yes", "no"])
    assert_type(await (await of_typed.trigger({"a": 1})).result(), list[Packed])
    assert_type(of_typed.sync.trigger(Typed(a=1)).result(), list[Packed])
