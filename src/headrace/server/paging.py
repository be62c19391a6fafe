"""What stands behind the question mark: pages and filters.

Must never know: what is listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from headrace.errors import BadRequest
from headrace.kernel.model import Instant
from headrace.server.calls import Call
from headrace.server.routes import Param
from headrace.wire import durations

_PAGES: Final = range(1, 101)
SIZE: TypeAlias = Annotated[int, Meta(ge=_PAGES[0], le=_PAGES[-1])]
"""How many are shown at once."""
_LONGEST: Final = 15
"""Digits of a moment."""
PAGES: Final = (
    Param("page[size]", "query", "1 to 100, normally 25", SIZE),
    Param("page[after]", "query", "the cursor of the page before: pagination.next"),
    Param("page[before]", "query", "the cursor of the page behind: pagination.previous"),
)
CREATED: Final = (
    Param("filter[createdAt][from]", "query", "a date, or milliseconds since 1970"),
    Param("filter[createdAt][to]", "query", "a date, or milliseconds since 1970"),
    Param("filter[createdAt][period]", "query", "a duration: created within it, up to now"),
)


def given_once(call: Call) -> dict[str, str]:
    """Return the parameters by name; each may be given once."""
    items = call.query.multi_items()
    given = dict(items)
    if len(given) != len(items):
        raise BadRequest("a query parameter is given twice")
    return given


def page_size(given: dict[str, str]) -> int:
    """Take out how many are to be shown."""
    text = given.pop("page[size]", "25")
    if not text.isascii() or not text.isdecimal() or int(text) not in _PAGES:
        raise BadRequest("page[size] is a number from 1 to 100")
    return int(text)


def pages_beside(given: dict[str, str]) -> tuple[str | None, str | None]:
    """Take out behind what the page begins, and before what it ends."""
    after, before = given.pop("page[after]", None), given.pop("page[before]", None)
    # The clients ask for the page before with the cursor by which they came to this one, too.
    return None if before else after, before


def several(text: str) -> tuple[str, ...]:
    """Return what stands between commas."""
    return tuple(part for part in text.split(",") if part)


def moment(text: str) -> Instant | None:
    """Read an instant: milliseconds, or an ISO date."""
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= _LONGEST:
        return Instant(int(text))
    return durations.date(text)


def unknown(given: Mapping[str, str]) -> None:
    """Refuse what is left: a filter that is not understood must not look as if all fitted it."""
    if left := [name for name in given if name.startswith(("filter[", "page["))]:
        raise BadRequest(f"{left[0][:80]} is not supported")
