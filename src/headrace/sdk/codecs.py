"""A type's values as JSON text and back: checked both ways, with errors that name the place.

Owns: what may not leave the process. What is written is read back before it leaves: a value that
does not fit its type is refused where it was made.
Must never know: where the text goes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any, Generic, TypeVar, cast

import msgspec

from headrace.errors import BadValue, Mistake, TooLarge, Unencodable
from headrace.sdk.choosing import format_for, type_name
from headrace.sdk.faults import Fault, formless, place, pointer
from headrace.sdk.formats import Unfit, Unusable
from headrace.wire.jsontext import MAX_DATA, MAX_DEPTH

T = TypeVar("T")

_SUSPICIOUS = (b"null", b"NaN", b"Infinity")
_compact = msgspec.json.Encoder(order="sorted").encode


class Codec(Generic[T]):
    """Values of one type as JSON text, and back."""

    def __init__(self, form: Any) -> None:
        self.form = form
        try:
            self._format = format_for(form)
        except Unusable as error:
            raise _unusable(form, error) from error

    def __reduce__(self) -> tuple[Callable[[Any], Codec[Any]], tuple[Any]]:
        return codec_for, (self.form,)

    def encode(self, value: T, what: str, *, most: int = MAX_DATA) -> bytes:
        """Return JSON text; `Unencodable`, `TooLarge` or `BadValue` name the place in `what`."""
        try:
            raw = self._format.dump(value)
        except Unfit as unfit:
            raise self._bad(unfit, what) from None
        except (TypeError, ValueError, RecursionError) as error:
            raise self._unencodable(value, what, error) from None
        deep = raw.count(b"[") + raw.count(b"{") > MAX_DEPTH
        if deep or self._format.needs_look or any(word in raw for word in _SUSPICIOUS):
            self._look(value, what)
        if len(raw) > most:
            raise TooLarge(f"{what} is {len(raw):,} bytes of JSON; {most:,} are allowed")
        self.decode(raw, what)
        return raw

    def decode(self, raw: bytes, what: str) -> T:
        """Return the value, or raise `BadValue`. No text at all counts as null."""
        try:
            return cast("T", self._format.load(raw or b"null"))
        except Unfit as unfit:
            raise self._bad(unfit, what) from None

    @cached_property
    def schema(self) -> bytes:
        """JSON Schema text of the type; empty for anything."""
        try:
            found = self._format.schema()
        except Unusable as error:
            raise _unusable(self.form, error) from error
        return _compact(found) if found else b""

    @property
    def name(self) -> str:
        """The type, as its author wrote it."""
        return type_name(self.form)

    def _look(self, value: object, what: str) -> None:
        if fault := self._format.fault(value):
            raise _refused(fault, what)

    def _unencodable(self, value: object, what: str, error: Exception) -> Unencodable:
        fault = self._format.fault(value) or formless(value)
        return _refused(fault or Fault((), str(error)), what)

    def _bad(self, unfit: Unfit, what: str) -> BadValue:
        told = [f"{place(what, fault.path)}: {fault.words}" for fault in unfit.faults]
        first = unfit.faults[0].path
        return BadValue("; ".join(told), path=pointer(first), hint=f"Its type is {self.name}.")


def _refused(fault: Fault, what: str) -> Unencodable:
    return Unencodable(f"{place(what, fault.path)}: {fault.words}", path=pointer(fault.path))


def codec_for(form: Any) -> Codec[Any]:
    """Return the codec of a type; `Mistake` if JSON cannot carry its values."""
    try:
        return _kept(form, repr(form))
    except TypeError:
        return Codec(form)  # an Annotated with metadata that has no hash


@lru_cache(maxsize=1_024)
def _kept(form: Any, _written: str) -> Codec[Any]:
    # `A | B` equals `B | A`, but of two members that fit alike the first counts.
    return Codec(form)


def _unusable(form: Any, error: Unusable) -> Mistake:
    return Mistake(
        f"{type_name(form)} cannot be sent: {error}",
        hint="Use what JSON can carry: builtins, a dataclass, TypedDict, msgspec.Struct or "
        "Pydantic model of such, dates, enums, UUID, Decimal, or a union of them.",
    )
