"""Plain data, its identity and its cycles."""

from __future__ import annotations

import array
import datetime as dt
import decimal
import fractions
import ipaddress
import random
import re
import uuid
import zoneinfo
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque
from pathlib import Path, PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

from tests.frames.values.registry import Values, saved

MISSING = object()


class Point(NamedTuple):
    x: int
    y: int


ATOMS: list[Any] = [
    None, True, 0, -(2**70), 1.5, float("inf"), 2j, "ä\ud800", b"\x00", bytearray(b"x"), ...,
    NotImplemented, range(1, 9, 2), slice(1, None, 3), frozenset({1, 2}), (1, (2, [3])),
    dt.datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")),
    dt.timedelta(days=-1), dt.date(2024, 1, 1), dt.time(1, 2, fold=1, tzinfo=dt.UTC),
    decimal.Decimal("1.10"), fractions.Fraction(1, 3), uuid.UUID(int=5),
    ipaddress.ip_network("10.0.0.0/8"), Path("/tmp/x"), PurePosixPath("a/b"),  # noqa: S108
    array.array("d", [1.0, 2.0]), deque([1, 2], maxlen=3), Counter("abca"),
    OrderedDict(b=1, a=2), ChainMap({"a": 1}, {"b": 2}), SimpleNamespace(a=1), Point(1, 2),
    re.compile(r"a(b+)", re.IGNORECASE), list[int], dict[str, int | None],
]  # fmt: skip


@saved(lambda _: {"atoms": ATOMS})
def plain_data_is_equal(v: Values) -> None:
    assert len(v["atoms"]) == len(ATOMS)
    for ours, theirs in zip(ATOMS, v["atoms"], strict=True):
        assert (type(ours), ours) == (type(theirs), theirs)


def _shared(_: Path) -> Values:
    inner = [1]
    return {"one": {"inner": inner}, "other": (inner, inner), "inner": inner}


@saved(_shared)
def what_was_one_is_one(v: Values) -> None:
    v["inner"].append(2)
    assert v["one"]["inner"] is v["other"][0] is v["other"][1] is v["inner"]
    assert v["other"][0] == [1, 2]


def _cycles(_: Path) -> Values:
    loop: list[Any] = []
    loop.append(loop)
    tree: dict[str, Any] = {"name": "root"}
    tree["children"] = [{"parent": tree}]
    pair: tuple[Any, ...] = ([],)
    pair[0].append(pair)
    spaces = SimpleNamespace()
    spaces.me = {spaces.__class__: spaces}
    return {"loop": loop, "tree": tree, "pair": pair, "spaces": spaces}


@saved(_cycles)
def cycles_stay_closed(v: Values) -> None:
    assert v["loop"][0] is v["loop"]
    assert v["tree"]["children"][0]["parent"] is v["tree"]
    assert v["pair"][0][0] is v["pair"]
    assert v["spaces"].me[SimpleNamespace] is v["spaces"]


@saved(lambda _: {"by": defaultdict(list, a=[1])})
def a_default_is_still_made(v: Values) -> None:
    assert v["by"]["b"] == []


@saved(lambda _: {"mark": MISSING, "again": [MISSING], "other": (own := object(), own)})
def a_mark_of_a_module_is_that_mark(v: Values) -> None:
    assert v["mark"] is MISSING is v["again"][0]
    assert v["other"][0] is v["other"][1] is not MISSING


def _looked(_: Path) -> Values:
    mapping = {"a": 1}
    ordered = OrderedDict[str, int](x=1)
    looks: list[Any] = [
        mapping.keys(),
        mapping.values(),
        mapping.items(),
        ordered.keys(),
        ordered.items(),
    ]
    return {
        "mapping": mapping,
        "ordered": ordered,
        "looks": looks,
        "proxy": MappingProxyType(mapping),
    }


@saved(_looked)
def views_look_at_the_same_dict(v: Values) -> None:
    v["mapping"]["b"] = 2
    v["ordered"]["y"] = 2
    assert [list(look) for look in v["looks"]] == [
        ["a", "b"], [1, 2], [("a", 1), ("b", 2)], ["x", "y"], [("x", 1), ("y", 2)],
    ]  # fmt: skip
    assert [type(look) for look in v["looks"]] == [type(look) for look in _looked(Path())["looks"]]
    assert v["proxy"]["b"] == 2


def _chance(_: Path) -> Values:
    source = random.Random(7)  # noqa: S311 - a fixed seed
    source.random()
    return {"source": source}


@saved(_chance)
def chance_goes_on(v: Values) -> None:
    expected = random.Random(7)  # noqa: S311
    expected.random()
    assert v["source"].random() == expected.random()


TEXT = "to be, or not to be"


def _matches(_: Path) -> Values:
    return {
        "match": re.match(r"(\w+) (?P<second>\w+)", TEXT),
        "search": re.search(r"or (\w+)", TEXT),
        "whole": re.fullmatch(rb".*", b"bytes"),
        "part": re.compile("o").search(TEXT, 4, 12),
        "found": list(re.finditer(r"\bbe\b", TEXT)),
    }


@saved(_matches)
def matches_keep_their_groups(v: Values) -> None:
    assert v["match"]["second"] == "be"
    assert v["search"].groups() == ("not",)
    assert v["whole"][0] == b"bytes"
    assert v["part"].span() == (7, 8)
    assert [it.span() for it in v["found"]] == [(3, 5), (17, 19)]
