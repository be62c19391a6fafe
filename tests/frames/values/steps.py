"""Iterators under way: what was taken is not given again, and what is left comes in its order."""

from __future__ import annotations

import itertools
import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.frames.values.registry import Values, saved

TELLS = sys.version_info < (3, 14)
"""Up to 3.13 every iterator of itertools says where it stands; later only some."""


def _stepped(it: Any) -> Any:
    next(it)
    return it


def _builtin(_: Path) -> Values:
    numbers, mapping = [1, 2, 3], {"a": 1, "b": 2, "c": 3}
    its = [
        iter(numbers), reversed(numbers), iter((1, 2, 3)), iter("abc"), iter(b"abc"),
        iter(range(3)), iter(range(2**70, 2**70 + 3)), enumerate("abc", 5),
        zip("abc", numbers, strict=True),
        map(abs, numbers), filter(None, [1, 0, 2]), iter(mapping), iter(mapping.values()),
        iter(mapping.items()), reversed(mapping), reversed(mapping.items()),
        iter(OrderedDict(mapping)), iter([1].pop, 5),
    ]  # fmt: skip
    return {"its": [_stepped(it) for it in its]}


@saved(_builtin)
def iterators_go_on_where_they_were(v: Values) -> None:
    ours = _builtin(Path())["its"]
    assert [type(it) for it in v["its"][:-2]] == [type(it) for it in ours[:-2]]
    left = [list(it) for it in v["its"][:-1]]
    assert left == [list(it) for it in ours[:-1]]


def _over_sets(_: Path) -> Values:
    names = {f"name{n}" for n in range(50)}
    it = iter(names)
    return {"names": names, "it": it, "taken": [next(it) for _ in range(20)]}


@saved(_over_sets)
def a_set_is_gone_through_once_in_whatever_order(v: Values) -> None:
    rest = list(v["it"])
    assert len(rest) == 30
    assert v["names"] == {*v["taken"], *rest}


def _live(_: Path) -> Values:
    numbers, mapping = [1, 2], {"a": 1, "b": 2}
    return {
        "numbers": numbers,
        "mapping": mapping,
        "over": _stepped(iter(numbers)),
        "items": _stepped(iter(mapping.items())),
    }


@saved(_live)
def iterators_see_what_becomes_of_what_they_go_over(v: Values) -> None:
    v["numbers"].append(3)
    v["mapping"]["b"] = 5
    assert list(v["over"]) == [2, 3]
    assert list(v["items"]) == [("b", 5)]


def _changed(_: Path) -> Values:
    grown, emptied, ended = {"a": 1}, {"a": 1}, {"a": 1}
    its = [_stepped(iter(it)) for it in (grown, emptied, ended)]
    grown["b"] = 2
    emptied.clear()
    return {"its": its, "over": [iter(()), _spent(iter({"a": 1})), _spent(iter([1]))]}


def _spent(it: Any) -> Any:
    assert list(it)
    return it


@saved(_changed)
def a_dict_that_changed_its_size_is_still_an_error(v: Values) -> None:
    for it in v["its"][:2]:
        try:
            next(it)
        except RuntimeError as error:
            assert "changed size" in str(error)  # noqa: PT017 - this runs without pytest
        else:
            raise AssertionError
    assert list(v["its"][2]) == []
    assert all(list(it) == [] for it in v["over"])


def _twice(_: Path) -> Values:
    it = iter([1, 2, 3])
    return {"it": it, "same": [it], "by": zip(it, it, strict=False)}


@saved(_twice)
def two_who_share_an_iterator_still_do(v: Values) -> None:
    assert next(v["it"]) == 1
    assert next(v["same"][0]) == 2
    assert list(v["by"]) == []


def _some(it: Iterator[Any]) -> list[Any]:
    return list(itertools.islice(it, 9))


def _counted(_: Path) -> Values:
    its: list[Any] = [
        _stepped(itertools.count()), _stepped(itertools.count(-5, 2)),
        _stepped(itertools.count(0.5)), _stepped(itertools.repeat([1], 3)),
        _stepped(itertools.repeat("x")),
    ]  # fmt: skip
    return {"its": its}


@saved(_counted)
def counting_goes_on(v: Values) -> None:
    assert [next(it) for it in v["its"]] == [1, -3, 1.5, [1], "x"]
    assert len(_some(v["its"][3])) == 1
    assert len(_some(v["its"][4])) == 9


def _tools(_: Path) -> Values:
    one, other = itertools.tee(iter("abcd"))
    next(one)
    its: list[Any] = [
        itertools.chain("ab", "cd"), itertools.chain.from_iterable(["ab", "cd"]),
        itertools.islice("abcdef", 1, 5, 2), itertools.cycle("ab"), itertools.accumulate([1, 2, 3]),
        itertools.product("ab", repeat=2), itertools.permutations("abc"),
        itertools.takewhile(bool, [1, 2, 0]),
        itertools.dropwhile(bool, [1, 0, 2, 3]), itertools.compress("abc", [1, 0, 1]),
        itertools.combinations("abc", 2), itertools.starmap(pow, [(2, 2), (3, 2)]),
        itertools.zip_longest("ab", "c"), itertools.filterfalse(None, [0, 0]),
    ]  # fmt: skip
    return {"its": [_stepped(it) for it in its], "one": one, "other": other}


if TELLS:

    @saved(_tools)
    def itertools_go_on_where_they_were(v: Values) -> None:
        ours = _tools(Path())
        for mine, its in zip(ours["its"], v["its"], strict=True):
            assert type(mine) is type(its)
            assert _some(mine) == _some(its)
        assert list(v["one"]) == list("bcd")
        assert list(v["other"]) == list("abcd")
