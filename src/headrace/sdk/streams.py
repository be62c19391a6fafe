"""`streams.input` and `streams.output`: the two ways to declare a stream."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from typing_extensions import TypeForm

from headrace.sdk.inputs import InputStream, OnInvalid
from headrace.sdk.outputs import OutputStream

T = TypeVar("T")


@overload
def input(  # noqa: A001 - the public word
    id: str, *, on_invalid: OnInvalid = ..., trusted: bool = ...
) -> InputStream[Any]: ...
@overload
def input(  # noqa: A001 - the public word
    id: str, schema: TypeForm[T], *, on_invalid: OnInvalid = ..., trusted: bool = ...
) -> InputStream[T]: ...
def input(  # noqa: A001 - the public word
    id: str, schema: Any = Any, *, on_invalid: OnInvalid = "wait", trusted: bool = False
) -> InputStream[Any]:
    """Declare a stream that others send to and a run reads; see `InputStream`.

    The schema is a type: a Pydantic model, dataclass, TypedDict, msgspec.Struct, `A | B`,
    Literal, `list[int]`, str and so on. Without one, any JSON will do.
    """
    return InputStream(id, schema, on_invalid=on_invalid, trusted=trusted)


@overload
def output(id: str) -> OutputStream[Any]: ...
@overload
def output(id: str, schema: TypeForm[T]) -> OutputStream[T]: ...
def output(id: str, schema: Any = Any) -> OutputStream[Any]:
    """Declare a stream that a run appends to and others read; see `OutputStream`."""
    return OutputStream(id, schema)
