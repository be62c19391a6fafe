"""A value that fits a JSON Schema, short enough to be typed: what a command is shown with.

Must never know: commands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias, cast

import msgspec

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Schema: TypeAlias = Mapping[str, object]

DEEPEST: Final = 8
FORMATS: Final[Mapping[str, str]] = {
    "date": "2030-01-31",
    "date-time": "2030-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "alice@example.com",
    "uri": "https://example.com",
}


def sample(schema: bytes) -> str:
    """Return JSON text that fits `schema`, as far as its shape tells."""
    if not schema.startswith(b"{"):
        return '"..."'
    root = cast("Schema", msgspec.json.decode(schema, type=dict[str, object]))
    value = _value(root, root, 0)
    return msgspec.json.encode(value).decode()


def _value(node: object, root: Schema, depth: int) -> Json:
    if not isinstance(node, dict) or depth > DEEPEST:
        return None
    schema = cast("Schema", node)
    for name in ("const", "default"):
        if name in schema:
            return cast("Json", schema[name])
    for name in ("examples", "enum"):
        if options := _list(schema.get(name)):
            return cast("Json", options[0])
    if isinstance(reference := schema.get("$ref"), str):
        return _value(_resolved(reference, root), root, depth + 1)
    if options := _list(schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")):
        return _value(options[0], root, depth + 1)
    return _of_type(schema, root, depth)


def _of_type(schema: Schema, root: Schema, depth: int) -> Json:
    kinds = _list(schema.get("type")) or [schema.get("type")]
    match kinds[0]:
        case "object":
            return _object(schema, root, depth)
        case "array":
            return _array(schema, root, depth)
        case "string":
            return FORMATS.get(str(schema.get("format")), "...")
        case "integer" | "number":
            least = schema.get("minimum")
            return int(least) if isinstance(least, int | float) and least > 0 else 0
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _object(schema, root, depth) if "properties" in schema else "..."


def _object(schema: Schema, root: Schema, depth: int) -> Json:
    fields = schema.get("properties")
    if not isinstance(fields, dict):
        return {}
    required = _list(schema.get("required")) or list(cast("Schema", fields))
    named = cast("Schema", fields)
    return {str(name): _value(named.get(str(name)), root, depth + 1) for name in required}


def _array(schema: Schema, root: Schema, depth: int) -> Json:
    if items := _list(schema.get("prefixItems")):
        return [_value(item, root, depth + 1) for item in items]
    return [_value(schema.get("items"), root, depth + 1)]


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _resolved(reference: str, root: Schema) -> object:
    node: object = root
    for part in reference.removeprefix("#/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        node = cast("Schema", node).get(name) if isinstance(node, dict) else None
    return node
