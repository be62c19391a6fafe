"""Which library reads and writes a type.

Owns: the choice between msgspec, Pydantic and trying each member of a union; looking into types.
Must never know: values.
"""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from typing_extensions import TypeAliasType

from headrace.sdk.formats import Format, Unusable
from headrace.sdk.plain import Plain
from headrace.sdk.unions import Choice

_UNIONS = (Union, types.UnionType)
_WRAPPERS = ("__supertype__", "__value__", "__origin__")


def type_name(form: Any) -> str:
    """Write a type as its author did, without modules."""
    if isinstance(form, type) and not get_args(form):
        return cast("type[Any]", form).__name__
    if hasattr(form, "__metadata__"):
        return type_name(getattr(form, "__origin__", form))
    return str(form).replace("typing.", "").replace("__main__.", "")


def format_for(form: Any) -> Format:
    """Return what carries values of the type; `Unusable` if JSON cannot."""
    if isinstance(form, TypeAliasType):
        form = form.__value__
    if _holds_model(form):
        return _models(form)
    try:
        return Plain(form)
    except Unusable:
        if get_origin(form) in _UNIONS:
            return Choice([format_for(member) for member in get_args(form)])
        if not any(get_origin(part) in _UNIONS for part in _parts(form)):
            raise
        # Further in stands a union whose members msgspec cannot tell apart; Pydantic may.
        with suppress(Unusable, ImportError):
            return _models(form)
        raise


def _models(form: Any) -> Format:
    # Only now: the core works without Pydantic.
    from headrace.sdk.models import Models  # noqa: PLC0415

    try:
        return Models(form)
    except Unusable:
        if get_origin(form) not in _UNIONS:
            raise
        return Choice([format_for(member) for member in get_args(form)])


def _holds_model(form: Any) -> bool:
    """Tell whether Pydantic has to read the type."""
    if "pydantic" not in sys.modules:
        return False  # whoever made a model has imported it
    return any(_is_model(part) for part in _parts(form))


def _is_model(part: Any) -> bool:
    made_by = type(part).__module__.partition(".")[0]
    return (
        hasattr(part, "__pydantic_validator__")
        or hasattr(part, "__get_pydantic_core_schema__")
        or made_by in {"pydantic", "annotated_types"}
    )


def _parts(form: Any) -> Iterator[Any]:
    """Yield `form` and every type within it, each once."""
    seen: list[Any] = []
    rest = [form]
    while rest:
        part = rest.pop()
        if any(part is other for other in seen):
            continue
        seen.append(part)
        yield part
        rest.extend(_within(part))


def _within(part: Any) -> list[Any]:
    inner = [*get_args(part), *getattr(part, "__metadata__", ())]
    inner.extend(getattr(part, name) for name in _WRAPPERS if hasattr(part, name))
    if isinstance(part, type) and _has_fields(cast("type[Any]", part)):
        try:
            inner.extend(get_type_hints(part, include_extras=True).values())
        except (NameError, TypeError):
            return inner  # the format says what is wrong with it
    return inner


def _has_fields(part: type[Any]) -> bool:
    return (
        dataclasses.is_dataclass(part)
        or hasattr(part, "__total__")
        or hasattr(part, "_field_defaults")
        or issubclass(part, msgspec.Struct)
    )
