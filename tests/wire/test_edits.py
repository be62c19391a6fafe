"""What each operation does to metadata, and what is refused."""

import json

import pytest
from msgspec import UNSET, Raw

from headrace.errors import BadRequest, Mistake, TooLarge
from headrace.wire.changes import Edit, EditKind
from headrace.wire.edits import EDITS, MOST, edited

NOTHING = object()


def edit(kind: EditKind, key: str, value: object = NOTHING) -> Edit:
    return Edit(
        type=kind, key=key, value=UNSET if value is NOTHING else Raw(json.dumps(value).encode())
    )


@pytest.mark.parametrize(
    ("before", "one", "after"),
    [
        ({}, edit("set", "a", 1), {"a": 1}),
        ({"a": 1, "b": 2}, edit("set", "a", None), {"a": None, "b": 2}),
        ({}, edit("set", "a.b", 1), {"a.b": 1}),
        ({}, edit("set", "$a", 1), {"$a": 1}),
        ({}, edit("set", "$.a.b", 1), {"a": {"b": 1}}),
        ({}, edit("set", "$.a[0].b", 1), {"a": [{"b": 1}]}),
        ({"a": [1, 2]}, edit("set", "$.a[1]", 3), {"a": [1, 3]}),
        ({"a": [1]}, edit("set", "$.a[1]", 3), {"a": [1, 3]}),
        ({"a": {"b c": 1}}, edit("set", "$.a['b c']", 2), {"a": {"b c": 2}}),
        ({"a": {"b c": 1}}, edit("set", '$.a["b c"]', 2), {"a": {"b c": 2}}),
        ({"a": None}, edit("set", "$.a.b", 2), {"a": {"b": 2}}),
        ({"a": 1}, edit("delete", "a"), {}),
        ({"a": 1}, edit("delete", "b"), {"a": 1}),
        ({"a": {"b": 1, "c": 2}}, edit("delete", "$.a.b"), {"a": {"c": 2}}),
        ({"a": [1, 2, 3]}, edit("delete", "$.a[1]"), {"a": [1, 3]}),
        ({"a": 1}, edit("delete", "$.a.b"), {"a": 1}),
        ({}, edit("append", "a", 1), {"a": [1]}),
        ({"a": [1]}, edit("append", "a", [2]), {"a": [1, [2]]}),
        ({"a": "x"}, edit("append", "a", 2), {"a": ["x", 2]}),
        ({"a": {"b": [1]}}, edit("append", "$.a.b", 2), {"a": {"b": [1, 2]}}),
        ({"a": [1, 2, 1]}, edit("remove", "a", 1), {"a": [2]}),
        ({"a": [1, True, 1.0, "1"]}, edit("remove", "a", 1), {"a": [True, "1"]}),
        ({"a": [{"b": 1, "c": 2}]}, edit("remove", "a", {"c": 2, "b": 1}), {"a": []}),
        ({"a": [[True], [1]]}, edit("remove", "a", [1]), {"a": [[True]]}),
        ({"a": "x"}, edit("remove", "a", "x"), {"a": "x"}),
        ({}, edit("remove", "a", 1), {}),
        ({}, edit("increment", "a", 2), {"a": 2}),
        ({"a": 1}, edit("increment", "a", -3), {"a": -2}),
        ({"a": 1}, edit("increment", "a", 0.5), {"a": 1.5}),
        ({"a": {"b": 1}}, edit("increment", "$.a.b", 1), {"a": {"b": 2}}),
        ({"a": 2**63 - 2}, edit("increment", "a", 1), {"a": 2**63 - 1}),
        ({"a": 2**63 - 1}, edit("increment", "a", 1), {"a": 9.223372036854775808e18}),
        ({"a": 2**64 - 1}, edit("increment", "a", 1), {"a": 1.8446744073709552e19}),
        ({"a": 1}, edit("update", "", {"b": 2}), {"b": 2}),
    ],
)
def test_each_operation_does_its_own(before: object, one: Edit, after: object) -> None:
    text = edited(json.dumps(before).encode(), [one])
    assert repr(json.loads(text)) == repr(after)


def test_a_value_may_be_as_deep_as_any() -> None:
    deep: object = 1
    for _ in range(64):
        deep = [deep]
    once = edited(b"{}", [edit("set", "a", deep)])
    assert json.loads(edited(once, [edit("set", "b", 1)])) == {"a": deep, "b": 1}
    with pytest.raises(BadRequest, match="nested"):
        edited(b"{}", [edit("set", "a", [deep])])


def test_operations_count_in_order() -> None:
    edits = [edit("set", "a", 1), edit("increment", "a", 1), edit("update", "", {"b": []})]
    assert edited(b"", [*edits, edit("append", "b", 1)]) == b'{"b":[1]}'
    assert edited(b"", []) == b"{}"


@pytest.mark.parametrize(
    ("one", "error", "words"),
    [
        (edit("set", "", 1), BadRequest, "cannot name"),
        (edit("set", "__proto__", 1), BadRequest, "cannot name"),
        (edit("set", "$.a.prototype", 1), BadRequest, "cannot name"),
        (edit("delete", "$.a['constructor']"), BadRequest, "cannot name"),
        (edit("set", "$.", 1), BadRequest, "no path"),
        (edit("set", "$.a..b", 1), BadRequest, "no path"),
        (edit("set", "$.a[x]", 1), BadRequest, "no path"),
        (edit("set", "$.a[-1]", 1), BadRequest, "no path"),
        (edit("set", "$.a[1234567]", 1), BadRequest, "no path"),
        (edit("set", "$" + ".a" * 64, 1), BadRequest, "no path"),
        (edit("set", "$.list[3]", 1), Mistake, "no place 3"),
        (edit("set", "$.list.a", 1), Mistake, "no place 'a'"),
        (edit("set", "$.text.a", 1), Mistake, "no place 'a'"),
        (edit("set", "a"), BadRequest, "needs a value"),
        (edit("increment", "text", 1), Mistake, "no number"),
        (edit("increment", "yes", 1), Mistake, "no number"),
        (edit("increment", "a", "1"), BadRequest, "takes a number"),
        (edit("increment", "a", True), BadRequest, "takes a number"),
        (edit("increment", "huge", 1.7e308), Mistake, "out of range"),
        (edit("update", "", []), BadRequest, "takes an object"),
        (edit("set", "a", "x" * MOST), TooLarge, "at most"),
    ],
)
def test_what_makes_no_sense_is_refused(one: Edit, error: type[Exception], words: str) -> None:
    before = b'{"list":[1],"text":"x","yes":true,"huge":1.7e308}'
    with pytest.raises(error, match=words):
        edited(before, [one])


def test_too_many_at_once_are_refused() -> None:
    with pytest.raises(BadRequest, match="most is"):
        edited(b"{}", [edit("delete", "a")] * (EDITS + 1))
