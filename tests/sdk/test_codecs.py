"""Every payload type makes the round trip; what cannot says where and why."""

import dataclasses
import math
import subprocess
import sys
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, Field, field_validator
from typing_extensions import TypeAliasType

from headrace.errors import BadValue, Mistake, TooLarge, Unencodable
from headrace.sdk.codecs import codec_for
from headrace.wire.jsontext import MAX_DATA, MAX_DEPTH, check
from headrace.wire.schemas import validator
from tests.sdk.payloads import (
    NOW,
    ORDER,
    Accept,
    Approval,
    Colour,
    Holder,
    Item,
    Left,
    Level,
    Line,
    Move,
    Order,
    Pair,
    Reject,
    Review,
    Right,
    Tree,
    UserId,
    changed,
)

FITTING: list[tuple[Any, Any]] = [
    (str, "grüß 🎉"),
    (int, 1 << 80),
    (float, 0.1),
    (bool, True),
    (None, None),
    (bytes, b"\x00\xff"),
    (datetime, NOW),
    (date, date(2026, 3, 1)),
    (timedelta, timedelta(days=1, seconds=3)),
    (uuid.UUID, uuid.UUID(int=9)),
    (Decimal, Decimal("0.10")),
    (Colour, Colour.RED),
    (Level, Level.HIGH),
    (UserId, UserId(3)),
    (list[int], [1, 2]),
    (dict[str, list[float]], {"a": [0.5]}),
    (dict[int, str], {1: "a"}),
    (tuple[int, str], (1, "a")),
    (tuple[int, ...], (1, 2, 3)),
    (set[str], {"a"}),
    (frozenset[int], frozenset({1, 2})),
    (str | None, None),
    (int | str, "a"),
    (Literal["yes", "no"], "no"),
    (Literal[1, "a"], 1),
    (Item, ORDER.items[0]),
    (Order, ORDER),
    (Line, {"text": "a", "level": Level.LOW}),
    (Move, Move(1, 2.5)),
    (Pair, Pair(1, "a")),
    (Tree, Tree(1, [Tree(2)])),
    (Left | Right, Right(2)),
    (Approval, Approval(approved=True, reviewer="alice", at=NOW)),
    (Review, Review(approvals=[Approval(approved=False, reviewer="bob")], move=(1, 2))),
    (list[Approval], [Approval(approved=True, reviewer="a")]),
    (Approval | None, None),
    (Approval | int, 3),
    (Holder, Holder(Approval(approved=True, reviewer="a"))),
    (Accept | Reject, Accept("alice")),
    (Accept | Reject, Reject("alice")),
    (Reject | Accept, Accept("alice")),
    (Accept | Reject | None, None),
    (list[Accept | Reject], [Reject("a", "b"), Accept("c")]),
    (Move | Accept, Move(1)),
    (Approval | Move, Move(4)),
    (date | str, "soon"),
    (Annotated[int, msgspec.Meta(gt=0)], 1),
    (Annotated[int, Field(gt=0)], 1),
    (Any, {"a": [1, 2.5, None, True, "b", {"c": []}]}),
    (list[Any], [1, "a", None]),
    (dict[str, Any], {"a": {"b": 1}}),
]


@pytest.mark.parametrize(("form", "value"), FITTING, ids=lambda one: str(one)[:40])
def test_a_value_makes_the_round_trip(form: Any, value: Any) -> None:
    codec = codec_for(form)
    raw = codec.encode(value, "payload")
    back = codec.decode(raw, "payload")
    assert back == value
    assert type(back) is type(value)
    assert check(raw) == raw  # strict and compact, as everything stored


@pytest.mark.parametrize(("form", "value"), FITTING, ids=lambda one: str(one)[:40])
def test_what_is_sent_fits_the_schema_at_the_door(form: Any, value: Any) -> None:
    codec = codec_for(form)
    validator(codec.schema)(codec.encode(value, "payload"))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ITEMS = st.builds(
    Item,
    name=TEXT,
    when=st.datetimes(timezones=st.just(UTC)),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    tags=st.sets(TEXT),
)
ORDERS = st.builds(
    Order,
    items=st.lists(ITEMS, max_size=3),
    by=st.uuids(),
    colour=st.sampled_from(Colour),
    note=st.none() | TEXT,
    extra=JSON,
)
REVIEWS = st.builds(
    Review,
    approvals=st.lists(st.builds(Approval, approved=st.booleans(), reviewer=TEXT, at=st.none())),
    move=st.tuples(st.integers(), st.integers()),
)


@given(JSON)
def test_json_passes_as_it_is(value: Any) -> None:
    codec = codec_for(Any)
    assert codec.decode(codec.encode(value, "v"), "v") == value


@given(ORDERS)
def test_dataclasses_pass(value: Order) -> None:
    codec = codec_for(Order)
    assert codec.decode(codec.encode(value, "v"), "v") == value


@given(REVIEWS)
def test_models_pass(value: Review) -> None:
    codec = codec_for(Review)
    assert codec.decode(codec.encode(value, "v"), "v") == value


@given(
    st.one_of(st.builds(Accept, TEXT), st.builds(Reject, TEXT, TEXT), st.builds(Reject, TEXT)),
    st.sampled_from([Accept | Reject, Reject | Accept]),
)
def test_unions_give_back_the_same_member(value: Accept | Reject, form: Any) -> None:
    codec = codec_for(form)
    assert codec.decode(codec.encode(value, "v"), "v") == value


def test_of_members_that_fit_alike_the_first_counts() -> None:
    for form, kind in ((date | str, date), (str | date, str), (date | str, date)):
        assert type(codec_for(form).decode(b'"2026-03-01"', "v")) is kind


@given(st.sets(TEXT), st.randoms())
def test_equal_sets_have_equal_texts(value: set[str], dice: Any) -> None:
    shuffled = list(value)
    dice.shuffle(shuffled)
    codec = codec_for(set[str])
    assert codec.encode(value, "v") == codec.encode(set(shuffled), "v")


def _nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


LOOP: list[Any] = []
LOOP.extend([LOOP, LOOP])

UNENCODABLE: list[tuple[Any, Any, str, str]] = [
    (Any, {"items": [1, {"when": {1}}]}, "payload.items[1].when: set is not JSON", "/items/1/when"),
    (Any, {"a": math.nan}, "payload.a: NaN is not JSON", "/a"),
    (Any, [-math.inf], "payload[0]: -Infinity is not JSON", "/0"),
    (dict[str, float | None], {"a": math.inf}, "payload.a: Infinity is not JSON", "/a"),
    (Any, {"a b": "\ud800"}, r"payload['a b']: the lone surrogate '\ud800' is not JSON", "/a b"),
    (Any, {"\udfff": 1}, r"payload: the lone surrogate '\udfff' in a key is not JSON", ""),
    (str, "a\udc00", r"payload: the lone surrogate '\udc00' is not JSON", ""),
    (Any, {"a": {3: 1}}, "payload.a: the key 3 is not a string", "/a"),
    (Any, {"a": {(1, 2): 1}}, "payload.a: the key (1, 2) is not a string", "/a"),
    (Any, [ORDER], "payload[0]: Order is not JSON", "/0"),
    (Any, object(), "payload: object is not JSON", ""),
    (Any, Level.LOW, "payload: Level is not JSON", ""),
    (Order, changed(ORDER, note=object()), "payload.note: object is not JSON", "/note"),
    (
        Order,
        changed(ORDER, extra={"a": {1: 2}}),
        "payload.extra.a: the key 1 is not a string",
        "/extra/a",
    ),
    (
        Review,
        Review.model_construct(approvals=[object()]),
        "payload.approvals[0]: object is not JSON",
        "/approvals/0",
    ),
    (Annotated[float, Field()], math.nan, "payload: NaN is not JSON", ""),
]


@pytest.mark.parametrize(("form", "value", "words", "path"), UNENCODABLE)
def test_what_json_cannot_carry_is_named(form: Any, value: Any, words: str, path: str) -> None:
    with pytest.raises(Unencodable) as caught:
        codec_for(form).encode(value, "payload")
    assert caught.value.message == words
    assert caught.value.path == path


@pytest.mark.parametrize("value", [_nested(MAX_DEPTH + 1), _nested(5_000), LOOP])
def test_what_is_nested_too_deep_is_refused(value: Any) -> None:
    with pytest.raises(Unencodable, match="nested deeper than 64 levels"):
        codec_for(Any).encode(value, "payload")


def test_what_is_nested_just_deep_enough_passes() -> None:
    value = _nested(MAX_DEPTH)
    assert codec_for(Any).decode(codec_for(Any).encode(value, "v"), "v") == value


def test_the_limit_of_size_is_exact() -> None:
    codec = codec_for(str)
    assert len(codec.encode("x" * (MAX_DATA - 2), "v")) == MAX_DATA
    with pytest.raises(TooLarge, match=r"v is 1,048,577 bytes of JSON; 1,048,576 are allowed"):
        codec.encode("x" * (MAX_DATA - 1), "v")


UNFIT: list[tuple[Any, Any, str]] = [
    (int, "a", "payload: Expected `int`, got `str`"),
    (Literal["a"], "b", "payload: Invalid enum value 'b'"),
    (list[int], [1, "a"], "payload[1]: Expected `int`, got `str`"),
    (Order, {"items": []}, "payload: Object missing required field `by`"),
    (Line, {"text": 1, "level": 1}, "payload.text: Expected `str`, got `int`"),
    (Move, {"x": None}, "payload.x: Expected `int`, got `null`"),
    (Review, {"approvals": [{}]}, "payload.approvals[0].approved: Field required; "),
    (Approval, "x", "payload: Input should be an object"),
    (Accept | Reject, 3, "payload: Expected `object`, got `int`"),
    (date | str, "2026-03-01", "payload: this str would come back as a date: JSON cannot tell"),
    (Annotated[int, Field(gt=0)], 0, "payload: Input should be greater than 0"),
    (Annotated[int, msgspec.Meta(gt=0)], 0, "payload: Expected `int` >= 1"),
    (None, 1, "payload: Expected `null`, got `int`"),
]


@pytest.mark.parametrize(("form", "value", "words"), UNFIT)
def test_what_does_not_fit_its_type_never_leaves(form: Any, value: Any, words: str) -> None:
    with pytest.raises(BadValue) as caught:
        codec_for(form).encode(value, "payload")
    assert caught.value.message.startswith(words)


def test_a_model_that_was_made_invalid_never_leaves() -> None:
    value = Approval(approved=True, reviewer="alice")
    value.reviewer = 3  # type: ignore[assignment]  # what an untyped caller does
    with pytest.raises(BadValue, match=r"payload\.reviewer: Input should be a valid string"):
        codec_for(Approval).encode(value, "payload")


def test_what_comes_in_is_checked_with_its_place() -> None:
    with pytest.raises(BadValue) as caught:
        codec_for(Review).decode(b'{"approvals":[{"approved":1,"reviewer":2}]}', "approval")
    assert caught.value.path == "/approvals/0/reviewer"
    assert caught.value.message == "approval.approvals[0].reviewer: Input should be a valid string"
    assert caught.value.hint == "Its type is Review."


def test_validators_count() -> None:
    class Even(BaseModel):
        number: int

        @field_validator("number")
        @classmethod
        def even(cls, value: int) -> int:
            if value % 2:
                raise ValueError("odd")
            return value

    with pytest.raises(BadValue, match="number: Value error, odd"):
        codec_for(Even).decode(b'{"number":3}', "payload")


def test_no_text_counts_as_null() -> None:
    assert codec_for(int | None).decode(b"", "payload") is None
    with pytest.raises(BadValue, match="got `null`"):
        codec_for(int).decode(b"", "payload")


@pytest.mark.parametrize("form", [complex, object, list[object], type, Order | complex])
def test_a_type_without_json_is_refused_where_it_is_declared(form: Any) -> None:
    with pytest.raises(Mistake, match=r"cannot be sent: .* has no JSON form"):
        codec_for(form)


def test_untagged_structs_further_in_say_what_to_do() -> None:
    class One(msgspec.Struct):
        a: int

    class Two(msgspec.Struct):
        b: int

    with pytest.raises(Mistake, match="all Struct types must be tagged"):
        codec_for(list[One | Two])


Either = TypeAliasType("Either", Accept | Reject)


def test_an_alias_is_what_it_stands_for() -> None:
    codec = codec_for(Either)
    assert codec.decode(codec.encode(Reject("a"), "v"), "v") == Reject("a")


WITHOUT_PYDANTIC = """
import sys
sys.modules["pydantic"] = None  # as if it were not installed
from dataclasses import dataclass
from headrace import streams
from headrace.errors import Mistake
from headrace.sdk.codecs import Codec, codec_for

@dataclass
class A:
    x: int

@dataclass
class B:
    y: int

codec = streams.input("either", A | B).codec
assert codec.decode(codec.encode(B(1), "v"), "v") == B(1)
try:
    codec_for(list[A | B])
except Mistake as error:
    assert "more than one dataclass" in str(error), error
else:
    raise AssertionError
"""


def test_the_core_does_without_pydantic() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PYDANTIC], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_schemas_say_what_is_demanded() -> None:
    refuse = validator(codec_for(Order).schema)
    with pytest.raises(BadValue, match="/items/0/when"):
        refuse(b'{"items":[{"name":"a","when":3}],"by":"00000000-0000-0000-0000-000000000007"}')
    assert codec_for(Any).schema == b""


def test_a_schema_of_a_union_keeps_the_members_definitions_apart() -> None:
    @dataclasses.dataclass
    class Outer:
        item: Item

    @dataclasses.dataclass
    class Other:
        item: Move

    accept = validator(codec_for(Outer | Other).schema)
    accept(b'{"item":{"x":1}}')
    accept(b'{"item":{"name":"a","when":"2026-03-01T00:00:00Z"}}')
    with pytest.raises(BadValue):
        accept(b'{"item":{"x":"a"}}')
