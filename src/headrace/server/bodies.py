"""Bodies of requests, read as what they should be.

Must never know: which request.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from headrace.errors import BadRequest
from headrace.wire import jsontext

T = TypeVar("T")


def read_as(shape: type[T], body: bytes, *, levels: int = 0) -> T:
    """Read a body strictly; `levels` are those that it puts around the values in it."""
    text = jsontext.parse(body, depth=jsontext.MAX_DEPTH + levels)[1]
    try:
        return msgspec.json.decode(text, type=shape)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Invalid request body: {error}") from None
