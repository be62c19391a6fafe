"""JSON Schema at the door.

Owns: how a schema is compiled and how a refusal reads.
Must never know: which Python type a schema was made from.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import islice

import jsonschema_rs
import msgspec

from headrace.errors import BadRequest, BadValue

_decode = msgspec.json.Decoder().decode
_SHOWN = 5
_WORDS = 300


@lru_cache(maxsize=1_024)
def validator(schema: bytes) -> Callable[[bytes], None]:
    """Return a function that raises `BadValue` for JSON text that does not fit `schema`.

    An empty schema fits everything. A schema that is none is a `BadRequest`.
    """
    if not schema:
        return _anything
    try:
        # Offline: a schema comes from outside, and must not make the server fetch addresses.
        compiled = jsonschema_rs.validator_for(_decode(schema), offline=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        raise BadRequest(f"the schema is no JSON Schema: {_short(error.message)}") from None
    except (ValueError, TypeError) as error:
        raise BadRequest(f"the schema is no JSON Schema: {_short(str(error))}") from None

    def fits(body: bytes) -> None:
        value = _decode(body)
        if not compiled.is_valid(value):
            raise _refusal(list(islice(compiled.iter_errors(value), _SHOWN + 1)))

    return fits


def _anything(_body: bytes) -> None: ...


def _refusal(errors: list[jsonschema_rs.ValidationError]) -> BadValue:
    lines = [f"{_pointer(error) or 'the value'}: {_short(error.message)}" for error in errors]
    more = ["..."] if len(lines) > _SHOWN else []
    return BadValue("; ".join(lines[:_SHOWN] + more), path=_pointer(errors[0]))


def _pointer(error: jsonschema_rs.ValidationError) -> str:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in error.instance_path)
    return "".join(f"/{step}" for step in steps)


def _short(words: str) -> str:
    return words if len(words) <= _WORDS else f"{words[:_WORDS]}..."
