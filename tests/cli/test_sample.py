"""The value that a command is shown with fits its schema."""

from __future__ import annotations

import json

import pytest

from headrace.cli.sample import sample
from headrace.wire.schemas import validator

SCHEMAS: list[dict[str, object]] = [
    {"type": "integer"},
    {"type": "integer", "minimum": 5},
    {"type": "number"},
    {"type": "string"},
    {"type": "string", "format": "date-time"},
    {"type": "boolean"},
    {"type": "null"},
    {"enum": ["red", "green"]},
    {"const": 7},
    {"type": ["string", "null"]},
    {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    {"type": "array", "items": {"type": "integer"}},
    {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2},
    {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "string", "default": "x"}},
        "required": ["a"],
        "additionalProperties": False,
    },
    {
        "$ref": "#/$defs/Node",
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Node"}]},
                },
                "required": ["name", "next"],
            }
        },
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_it_fits(schema: dict[str, object]) -> None:
    text = json.dumps(schema).encode()
    validator(text)(sample(text).encode())


def test_without_a_schema_it_is_a_placeholder() -> None:
    assert sample(b"") == '"..."'
    assert sample(b"true") == '"..."'


def test_a_schema_without_an_end_has_a_sample() -> None:
    schema = b'{"$ref":"#/$defs/A","$defs":{"A":{"type":"array","items":{"$ref":"#/$defs/A"}}}}'
    assert json.loads(sample(schema))
