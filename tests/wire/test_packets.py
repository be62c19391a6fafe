"""Payloads: every packet type comes out as the JSON text that it stands for."""

import json

import msgspec
import pytest
from hypothesis import given, strategies as st

from headrace.errors import BadRequest
from headrace.wire import jsontext, packets
from headrace.wire.views import TriggerOptions, TriggerOrder


def order(payload: object, kind: str = "") -> TriggerOrder:
    raw = msgspec.Raw(msgspec.json.encode(payload))
    return TriggerOrder(payload=raw, options=TriggerOptions(payload_type=kind))


def superjson(value: object, **values: object) -> TriggerOrder:
    packet = json.dumps({"json": value, "meta": {"values": values}})
    return order(packet, "application/super+json")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (TriggerOrder(), b""),
        (order({"a": [1, None]}), b'{"a":[1,null]}'),
        (order(None), b"null"),
        (order("5"), b'"5"'),
        (order(""), b'""'),
        (order({"a": 1}, "application/json"), b'{"a":1}'),
        (order('{"a": 1}', "application/json"), b'{"a":1}'),
        (order("5", "application/json"), b"5"),
        (order("", "application/json"), b""),
        (order("5", "text/plain"), b'"5"'),
        (order("", "text/plain"), b'""'),
        (order("<a/>", "application/xml"), b'"<a/>"'),
        (order("", "application/super+json"), b""),
        (order('{"json": {"a": 1}}', "application/super+json"), b'{"a":1}'),
        (superjson({"a": 1}), b'{"a":1}'),
    ],
)
def test_a_packet_is_read(given: TriggerOrder, text: bytes) -> None:
    assert packets.payload_of(given) == text


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (superjson({"at": "2026-01-01T00:00Z"}, at=["Date"]), {"at": "2026-01-01T00:00Z"}),
        (superjson({"n": "9007199254740993"}, n=["bigint"]), {"n": 9007199254740993}),
        (superjson({"n": ["-1", 2]}, **{"n.0": ["bigint"]}), {"n": [-1, 2]}),
        (superjson({"a": None, "b": 1}, a=["undefined"]), {"b": 1}),
        (superjson([None, 1], **{"0": ["undefined"]}), [None, 1]),
        (superjson({"s": ["1", 2]}, s=["set", {"0": ["bigint"]}]), {"s": [1, 2]}),
        (superjson({"m": [["a", 1], ["b", 2]]}, m=["map"]), {"m": {"a": 1, "b": 2}}),
        (superjson({"m": [[1, "x"]]}, m=["map"]), {"m": [[1, "x"]]}),
        (superjson({"m": [["a", "7"]]}, m=["map", {"0.1": ["bigint"]}]), {"m": {"a": 7}}),
        (superjson([["a", [["b", 1]]]], **{"0.1": ["map"]}), [["a", {"b": 1}]]),
        (superjson({"x": "-0"}, x=["number"]), {"x": 0}),
        (superjson({"x": "/a/g"}, x=["regexp"]), {"x": "/a/g"}),
        (superjson({"x": "http://a/"}, x=["URL"]), {"x": "http://a/"}),
        (superjson({"x": {"message": "m"}}, x=["Error"]), {"x": {"message": "m"}}),
        (superjson({"x": [1]}, x=[["typed-array", "Int8Array"]]), {"x": [1]}),
        (superjson({"a.b": {"c": "1"}}, **{r"a\.b.c": ["bigint"]}), {"a.b": {"c": 1}}),
        (superjson({"a": {"b": "1"}}, a={"b": ["bigint"]}), {"a": {"b": 1}}),
    ],
)  # fmt: skip
def test_what_only_javascript_has_comes_out_as_json(given: TriggerOrder, value: object) -> None:
    assert json.loads(packets.payload_of(given)) == value


@pytest.mark.parametrize(
    ("packet", "text"),
    [
        ({"json": "7", "meta": {"values": ["bigint"]}}, b"7"),
        ({"json": None, "meta": {"values": ["undefined"]}}, b""),
        ({"json": ["1"], "meta": {"values": ["set", {"0": ["bigint"]}]}}, b"[1]"),
        ({"json": {"a\\": "1"}, "meta": {"v": 1, "values": {"a\\\\": ["bigint"]}}}, b'{"a\\\\":1}'),
        ({"json": 1, "meta": {"referentialEqualities": {"a": ["b"]}}}, b"1"),
    ],
)
def test_notes_may_stand_on_the_whole(packet: object, text: bytes) -> None:
    assert packets.payload_of(order(json.dumps(packet), "application/super+json")) == text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (order("{", "application/json"), "ends too early"),
        (order('{"a":1,"a":2}', "application/json"), "twice"),
        (order('{"json":{"a":1,"a":2}}', "application/super+json"), "twice"),
        (order(5, "text/plain"), "must be a string"),
        (order({"json": 1}, "application/super+json"), "must be a string"),
        (order("[1]", "application/super+json"), '"json"'),
        (order('{"meta":{}}', "application/super+json"), '"json"'),
        (order('{"json":1,"meta":5}', "application/super+json"), '"meta"'),
        (order('{"json":1,"meta":{"values":5}}', "application/super+json"), "malformed"),
        (order('{"json":1,"meta":{"values":[1,2,3]}}', "application/super+json"), "malformed"),
        (superjson({"a": 1}, b=["Date"]), "names no value"),
        (superjson([1], **{"1": ["Date"]}), "names no value"),
        (superjson([1], **{"-1": ["Date"]}), "names no value"),
        (superjson({"a": 1}, **{"a.b.c": ["Date"]}), "names no value"),
        (superjson({"x": "NaN"}, x=["number"]), "cannot hold the number NaN"),
        (order("some-key", "application/store"), "cannot be named here"),
        (order("[" * 65 + "]" * 65, "application/json"), "deeper"),
        (superjson(json.loads("[" * 65 + "]" * 65)), "deeper"),
    ],
)
def test_what_cannot_be_read_is_refused(given: TriggerOrder, words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        packets.payload_of(given)

    assert words in str(refused.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.\\"), inner),
    max_leaves=8,
)


@given(json_values)
def test_a_bare_value_is_read_as_it_was_given(value: object) -> None:
    text = jsontext.check(json.dumps(value).encode())

    assert packets.payload_of(TriggerOrder(payload=packets.bare(text))) == text


@given(json_values, json_values)
def test_hostile_notes_are_applied_or_refused(value: object, notes: object) -> None:
    packet = json.dumps({"json": value, "meta": {"values": notes}})
    try:
        text = packets.payload_of(order(packet, "application/super+json"))
    except BadRequest as error:
        assert error.message  # noqa: PT017 - both ends of the `try` are asserted
    else:
        assert text == b"" or jsontext.check(text) == text
