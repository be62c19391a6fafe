"""What is found again by its name."""

from __future__ import annotations

import functools
import json
import logging
import os.path
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from operator import attrgetter, itemgetter, methodcaller
from pathlib import Path
from types import MethodType, NoneType
from typing import Any, cast

from tests.frames.values.registry import Values, saved

VAR: ContextVar[int] = ContextVar("something else", default=3)


def doubled(function: Callable[[int], int]) -> Callable[[int], int]:
    @functools.wraps(function)
    def wrapper(x: int) -> int:
        return function(x) * 2

    return wrapper


class Holder:
    """As frameworks do: an object of that name stands where the function stood."""

    def __init__(self, function: Callable[[int], int]) -> None:
        self.__wrapped__ = function
        self.function = function


@doubled
@doubled
def decorated(x: int) -> int:
    return x + 1


@Holder
def held(x: int) -> int:
    return x + 3


increment: Callable[[int], int] = lambda x: x + 1  # noqa: E731 - that is the case


class Base:
    def who(self) -> str:
        return "base"


class Thing(Base):
    def __init__(self, x: int = 0) -> None:
        self.x = x

    def who(self) -> str:
        return "thing"

    def __private(self, y: int) -> int:
        return self.x + y

    def private(self) -> Callable[[int], int]:
        return self.__private

    def above(self) -> Any:
        return super()

    @classmethod
    def made(cls) -> Thing:
        return cls(9)

    @staticmethod
    def alone(x: int) -> int:
        return -x

    class Inner:
        def deep(self) -> str:
            return "deep"


def _functions(_: Path) -> Values:
    inner = cast("Any", decorated).__wrapped__
    return {
        "by_name": [len, json.dumps, os.path.join, str.upper, dict.fromkeys],
        "decorated": [decorated, inner, inner.__wrapped__],
        "held": held.function,
        "increment": increment,
        "plain": [Thing.who, Thing.alone, Thing.Inner.deep],
    }


@saved(_functions)
def functions_are_found_by_name(v: Values) -> None:
    assert v["by_name"][:4] == [len, json.dumps, os.path.join, str.upper]
    inner = cast("Any", decorated).__wrapped__
    assert v["decorated"] == [decorated, inner, inner.__wrapped__]
    assert [it(1) for it in v["decorated"]] == [8, 4, 2]
    assert v["held"] is held.function
    assert v["increment"] is increment
    assert v["plain"] == [Thing.who, Thing.alone, Thing.Inner.deep]


def _methods(_: Path) -> Values:
    thing = Thing(1)
    thing.x = 1
    me = Thing(2)
    me.callback = me.who  # type: ignore[attr-defined]  # an attribute that leads back
    numbers = [1]
    return {
        "thing": thing,
        "bound": [thing.who, thing.private(), super(Thing, thing).who, Thing.made],
        "given": MethodType(len, numbers),
        "me": me,
        "above": thing.above(),
        "append": numbers.append,
        "numbers": numbers,
    }


@saved(_methods)
def methods_stay_bound_to_the_same_object(v: Values) -> None:
    who, private, base, made = v["bound"]
    v["thing"].x = 5
    assert (who(), private(1), base(), made().x) == ("thing", 6, "base", 9)
    assert who.__self__ is private.__self__ is base.__self__ is v["thing"]
    v["append"](2)
    assert v["numbers"] == [1, 2]
    assert v["given"]() == 2
    assert v["me"].callback.__self__ is v["me"]
    assert v["above"].who() == "base"
    assert v["above"].__self__ is v["thing"]


def _partials(_: Path) -> Values:
    shared = [2]
    return {
        "shared": shared,
        "partials": [partial(pow, 2), partial(sorted, shared, key=abs), partial(increment, 1)],
        "getters": [itemgetter(1), attrgetter("real"), methodcaller("upper")],
    }


@saved(_partials)
def partials_keep_their_arguments(v: Values) -> None:
    power, ordered, one = v["partials"]
    assert (power(3), ordered(), one()) == (8, [2], 2)
    assert ordered.args[0] is v["shared"]
    item, attribute, upper = v["getters"]
    assert (item("ab"), attribute(1), upper("a")) == ("b", 1, "A")


def _others(_: Path) -> Values:
    return {
        "classes": [Thing, Thing.Inner, NoneType, type(...), type(len), type(_others), dict],
        "modules": [json, os.path, logging],
        "logger": logging.getLogger("a.b"),
        "adapter": logging.LoggerAdapter(logging.getLogger("a"), {"k": 1}),
        "var": VAR,
    }


@saved(_others)
def classes_modules_loggers_and_variables_are_the_same(v: Values) -> None:
    ours = _others(Path())
    assert v["classes"] == ours["classes"]
    assert all(mine is its for mine, its in zip(ours["modules"], v["modules"], strict=True))
    assert v["logger"] is ours["logger"]
    assert v["adapter"].logger is logging.getLogger("a")
    assert v["var"] is VAR
