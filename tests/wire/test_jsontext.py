"""Strict JSON: what is refused, and that nothing else changes."""

import json
import math
import re
from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from headrace.errors import BadRequest
from headrace.wire import jsontext

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.sampled_from(['"', "\\", '\\"', "\\u0022", "{", "]", "\0", "\x01", "é", "\U0001f600"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(texts | scalars.map(str), inner, max_size=4)
    ),
    max_leaves=12,
)
dialects: st.SearchStrategy[Callable[[object], str]] = st.sampled_from(
    [
        json.dumps,
        lambda value: json.dumps(value, ensure_ascii=False),
        lambda value: json.dumps(value, indent=1),
        lambda value: re.sub(r'(\\\\)|\\"', lambda found: found[1] or "\\u0022", json.dumps(value)),
    ]
)


@given(values, dialects)
def test_what_the_standard_library_writes_keeps_its_meaning(
    value: object, dialect: Callable[[object], str]
) -> None:
    compact = jsontext.check(dialect(value).encode())

    assert json.loads(compact) == value
    assert len(compact) <= len(dialect(value).encode())


@given(values, dialects)
def test_equal_values_have_equal_texts(value: object, dialect: Callable[[object], str]) -> None:
    compact = jsontext.check(dialect(value).encode())

    assert compact == jsontext.check(json.dumps(value).encode())
    assert compact == jsontext.check(compact)


def refusing(raw: bytes) -> object:
    """Parse as strictly as the standard library can be made to."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    def finite(text: str) -> float:
        if math.isinf(float(text)):
            raise ValueError("infinite")
        return float(text)

    def constant(text: str) -> object:
        raise ValueError(text)

    found: object = json.loads(
        raw.decode(), object_pairs_hook=unique, parse_float=finite, parse_constant=constant
    )
    json.dumps(found, ensure_ascii=False).encode()
    return found


pieces = st.sampled_from(
    [*'{}[]",:\\', '"a"', '"a":', '"\\u0061":', "1", "-", "1e400", "0.5", "NaN", "\\ud800",
     "\\udc00", "\\u0022", '\\"', "null", "true", " ", "\n", "\x01", "é", "Infinity", "01", "1."]
)  # fmt: skip


@given(st.lists(pieces, max_size=9).map(lambda parts: "".join(parts).encode()))
def test_it_accepts_exactly_what_a_strict_standard_library_does(raw: bytes) -> None:
    try:
        expected: object = refusing(raw)
    except ValueError:
        with pytest.raises(BadRequest):
            jsontext.check(raw)
    else:
        assert json.loads(jsontext.check(raw)) == expected


@given(st.binary(max_size=20))
def test_any_bytes_are_text_or_refused(raw: bytes) -> None:
    try:
        compact = jsontext.check(raw)
    except BadRequest as error:
        assert error.message  # noqa: PT017 - both ends of the `try` are asserted
    else:
        assert json.loads(compact) == json.loads(raw)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "the JSON is empty"),
        (b" \n", "the JSON is empty"),
        (b'{"a":', "the JSON ends too early"),
        (b"{'a':1}", "malformed"),
        (b"[1,]", "(byte 3)"),
        (b"1 2", "trailing characters"),
        (b"NaN", "NaN, which is no JSON value (byte 0)"),
        (b'{"a":[1,Infinity]}', "Infinity, which is no JSON value (byte 8)"),
        (b'["NaN",-Infinity]', "Infinity, which is no JSON value (byte 8)"),
        (b'["1e999",1e400]', "a number out of range (byte 9)"),
        (b"-1e400", "a number out of range (byte 0)"),
        (b"1" * 4_301, "a number of more than 4300 digits (byte 0)"),
        (b'{"a":1,"b":2,"a":1}', 'the key "a" twice'),
        (b'{"a":1,"\\u0061":1}', 'the key "a" twice'),
        (b'{"":1,"":2}', 'the key "" twice'),
        (b'[{"x":{"a":"\\u0022","a":""}}]', 'the key "a" twice'),
        (b'{"a":1,"a":"\\u0022\\u0022"}', 'the key "a" twice'),
        (b'{"\\"":1,"\\u0022":2}', r'the key "\"" twice'),
        (b'"\\ud800"', "half of a surrogate pair (byte 7)"),
        (b'"\\ud800 and more"', "half of a surrogate pair"),
        (b'"\\udc00"', "half of a surrogate pair"),
        (b'{"\\ud800":1}', "half of a surrogate pair"),
        (b'"\xff"', "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b"\xef\xbb\xbf1", "malformed"),
        (b"[" * 65 + b"]" * 65, "deeper than 64"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "deeper than 64"),
        (b"[" * 100_000, "deeper than 64"),
        (b'"a\nb"', "malformed"),
    ],
)
def test_a_refusal_says_what_and_where(raw: bytes, words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        jsontext.check(raw)

    assert words in refused.value.message


@pytest.mark.parametrize(
    ("raw", "compact"),
    [
        (b' { "a" : [ 1 , 2.50 ] } ', b'{"a":[1,2.5]}'),
        (b'"\\u00e9\\ud83d\\ude00"', '"é😀"'.encode()),
        (b"[" * 64 + b"]" * 64, b"[" * 64 + b"]" * 64),
        (b'["' + b"[{" * 100 + b'"]', b'["' + b"[{" * 100 + b'"]'),
        (b"[" + b"[]," * 100 + b"[]]", b"[" + b"[]," * 100 + b"[]]"),
        (b"123456789012345678901234567890", b"123456789012345678901234567890"),
        (b"9" * 4_300, b"9" * 4_300),
        (b'"\\u0000\\u0001"', b'"\\u0000\\u0001"'),
        (b'{"\\u0022":1}', b'{"\\"":1}'),
        (b'[{"a":1},{"a":1}]', b'[{"a":1},{"a":1}]'),
        (b"1e-400", b"0.0"),
    ],
)
def test_the_compact_form(raw: bytes, compact: bytes) -> None:
    assert jsontext.check(raw) == compact


def test_a_digest_tells_bodies_apart() -> None:
    assert len(jsontext.digest(b"1")) == 16
    assert jsontext.digest(b"1") == jsontext.digest(b"1") != jsontext.digest(b"2")
