"""Types that Pydantic reads and writes: models, and whatever holds one.

Imported only once such a type turns up, so that the rest works without Pydantic.
"""

from __future__ import annotations

from typing import Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from headrace.sdk.faults import Fault, first_fault
from headrace.sdk.formats import Unfit, Unusable

_SHOWN = 3


class Models:
    """A type with Pydantic in it."""

    needs_look = False

    def __init__(self, form: Any) -> None:
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(form)
        except (PydanticUserError, TypeError, NameError) as error:
            raise Unusable(str(error).partition("\n")[0]) from error

    def dump(self, value: object) -> bytes:
        """Return JSON text that `load` takes back."""
        # What does not fit is found by reading it back, with its place; a warning has none.
        return self._adapter.dump_json(value, by_alias=True, round_trip=True, warnings="none")

    def load(self, raw: bytes) -> object:
        """Return the value, or raise `Unfit`."""
        try:
            return self._adapter.validate_json(raw)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            faults = [Fault(tuple(one["loc"]), one["msg"]) for one in found[:_SHOWN]]
            raise Unfit(tuple(faults)) from None

    def fault(self, value: object) -> Fault | None:
        """Find what JSON does not carry."""
        return first_fault(value, strict=False)

    def schema(self) -> dict[str, Any]:
        """Return JSON Schema."""
        try:
            return self._adapter.json_schema(by_alias=True, mode="validation")
        except PydanticUserError as error:
            raise Unusable(str(error).partition("\n")[0]) from error
