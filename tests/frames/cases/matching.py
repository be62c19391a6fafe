"""match, with awaits in the subject, the guards and the bodies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.frames.rig import case
from tests.frames.parking import wait


@dataclass
class Point:
    x: int
    y: int


@case("match: literals, or-patterns, wildcard", gives=["one", "two or three", "other"])
async def match_literals() -> object:
    out: list[str] = []
    for n in (1, 3, 9):
        match await wait(n):
            case 1:
                out.append(await wait("one"))
            case 2 | 3:
                out.append(await wait("two or three"))
            case _:
                out.append(await wait("other"))
    return out


@case("match: sequences with a star, captures kept across", gives=(1, [2, 3], 4))
async def match_sequence() -> object:
    match [1, 2, 3]:
        case [first, *rest]:
            last = await wait(4)
            return first, rest, last
        case _:
            return None


@case("match: mappings with `**rest`", gives=("v", {"b": 2}))
async def match_mapping() -> object:
    match {"a": "v", "b": 2}:
        case {"a": value, **rest}:
            await wait(1)
            return value, rest
        case _:
            return None


@case("match: classes by position and keyword, `as`", gives=(1, 2, 3))
async def match_class() -> object:
    match Point(1, 2):
        case Point(x, y=(1 | 2) as y):
            return x, y, await wait(3)
        case _:
            return None


@case("match: guards with awaits, tried in order", gives=("second", [1, 2]))
async def match_guards() -> object:
    tried: list[int] = []

    def noted(n: int) -> int:
        tried.append(n)
        return n

    match 5:
        case n if await wait(noted(1)) > n:
            return "first"
        case n if await wait(noted(2)) < n:
            return await wait("second"), tried
        case _:
            return "third"


@case("match: a guard that is false leaves its captures bound", gives=(5, "rest"))
async def match_captures_leak() -> object:
    match [5]:
        case [leaked] if await wait(0):
            return "wrong", leaked
        case _:
            return leaked, await wait("rest")


@case("match: nothing matches", gives="after")
async def match_nothing() -> object:
    match await wait(3):
        case 1:
            return "wrong"
        case [_, _]:
            return "wrong"
    return await wait("after")


@case("match: the subject is evaluated once", gives=(["subject"], "b"))
async def match_subject_once() -> object:
    out: list[str] = []

    def subject() -> str:
        out.append("subject")
        return "b"

    match subject():
        case "a" if await wait(1):
            return "wrong"
        case "b" as got if await wait(1):
            return out, await wait(got)
        case _:
            return "wrong"


@case("match: break, continue and return from its bodies in a loop", gives=[0, 2])
async def match_in_loop() -> object:
    out: list[Any] = []
    for n in range(5):
        match n:
            case 1:
                await wait(0)
                continue
            case 3:
                await wait(0)
                break
            case _:
                out.append(await wait(n))
    return out


@case("match in match", gives="inner")
async def match_nested() -> object:
    match (1, [2]):
        case (1, inner):
            await wait(0)
            match inner:
                case [2]:
                    return await wait("inner")
                case _:
                    return "wrong"
        case _:
            return "wrong"


@case("match: dotted names and None, True as patterns", gives=["none", "true", "dotted"])
async def match_values() -> object:
    out: list[str] = []
    for n in (None, True, 77):
        match n:
            case None:
                out.append(await wait("none"))
            case True:
                out.append(await wait("true"))
            case Limits.MOST:
                out.append(await wait("dotted"))
    return out


class Limits:
    """Holds a value for a pattern."""

    MOST = 77
