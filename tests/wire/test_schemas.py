"""JSON Schema at the door: what fits, how a refusal reads, what a schema may not do."""

import json

import pytest

from headrace.errors import BadRequest, BadValue
from headrace.wire.schemas import validator

APPROVAL = json.dumps(
    {
        "type": "object",
        "properties": {"approved": {"type": "boolean"}, "by": {"$ref": "#/$defs/Name"}},
        "required": ["approved"],
        "$defs": {"Name": {"type": "string", "minLength": 2}},
    }
).encode()


@pytest.mark.parametrize("body", [b'{"approved":true}', b'{"approved":false,"by":"al","x":1}'])
def test_a_value_that_fits(body: bytes) -> None:
    validator(APPROVAL)(body)


@pytest.mark.parametrize(
    ("schema", "body", "path", "words"),
    [
        (APPROVAL, b'{"approved":"yes"}', "/approved", '"yes" is not of type "boolean"'),
        (APPROVAL, b"{}", "", '"approved" is a required property'),
        (APPROVAL, b'{"approved":true,"by":"a"}', "/by", "shorter than 2 characters"),
        (b'{"items":{"type":"integer"}}', b'[1,"x"]', "/1", "integer"),
        (b'{"additionalProperties":{"type":"null"}}', b'{"a/b~c":1}', "/a~1b~0c", "null"),
        (b"false", b"1", "", ""),
        (b'{"const":1}', b"2", "", "1 was expected"),
    ],
)
def test_a_refusal_names_the_place(schema: bytes, body: bytes, path: str, words: str) -> None:
    with pytest.raises(BadValue) as refused:
        validator(schema)(body)

    assert refused.value.path == path
    assert words in refused.value.message


def test_up_to_five_errors_are_told() -> None:
    fits = validator(b'{"items":{"type":"integer"}}')
    with pytest.raises(BadValue) as two:
        fits(b'["a","b"]')
    with pytest.raises(BadValue) as many:
        fits(b'["a","b","c","d","e","f"]')

    assert two.value.message == '/0: "a" is not of type "integer"; /1: "b" is not of type "integer"'
    assert "/4: " in many.value.message
    assert "/5: " not in many.value.message
    assert many.value.message.endswith("...")


def test_a_long_value_is_not_echoed_whole() -> None:
    with pytest.raises(BadValue) as refused:
        validator(b'{"type":"integer"}')(json.dumps("x" * 100_000).encode())

    assert len(refused.value.message) < 500


@pytest.mark.parametrize("body", [b"null", b"1", b'{"a":[]}'])
def test_no_schema_fits_everything(body: bytes) -> None:
    validator(b"")(body)
    validator(b"{}")(body)


def test_numbers_of_any_size_are_judged() -> None:
    validator(b'{"type":"integer"}')(b"1" + b"0" * 100)
    with pytest.raises(BadValue):
        validator(b'{"maximum":5}')(b"1" + b"0" * 100)


@pytest.mark.parametrize(
    "schema",
    [
        b"5", b"[]", b"{", b'{"type":"nope"}', b'{"pattern":"("}', b'{"$ref":"#/nowhere"}',
        b'{"$schema":"http://127.0.0.1:9/meta"}', b"\xff",
    ],
)  # fmt: skip
def test_what_is_no_schema_is_refused(schema: bytes) -> None:
    with pytest.raises(BadRequest, match="no JSON Schema"):
        validator(schema)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/schema", "file:///etc/passwd"])
def test_nothing_is_fetched_for_a_schema(address: str) -> None:
    with pytest.raises(BadRequest, match="Retrieval is disabled"):
        validator(json.dumps({"$ref": address}).encode())


def test_a_pattern_that_explodes_is_a_refusal() -> None:
    with pytest.raises(BadValue):
        validator(b'{"pattern":"^(?=a)(a|a)*(?!x)c$"}')(json.dumps("a" * 60 + "b").encode())


def test_a_schema_is_compiled_once() -> None:
    assert validator(APPROVAL) is validator(bytes(bytearray(APPROVAL)))
