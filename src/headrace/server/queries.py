"""Which runs a list is asked for: the query behind the question mark, read strictly.

Must never know: how runs are found.
"""

from __future__ import annotations

from typing import Final, get_args

from headrace.errors import BadRequest
from headrace.server.calls import Call
from headrace.server.routes import Param
from headrace.server.shown import is_current
from headrace.wire import durations
from headrace.wire.statuses import OLD_NAMES
from headrace.wire.views import RunQuery, Status

_STATUSES: Final = frozenset(get_args(Status))
_PAGES: Final = range(1, 101)
_BELONGS: Final = ("filter[batch]", "filter[schedule]", "filter[bulkAction]")
_LONGEST: Final = 15
"""Digits of a moment."""
PARAMS: Final = (
    Param("page[size]", "query", "1 to 100, normally 25"),
    Param("page[after]", "query", "the cursor of the page before: pagination.next"),
    Param("page[before]", "query", "the cursor of the page behind: pagination.previous"),
    Param("filter[status]", "query", "statuses, with commas between them"),
    Param("filter[taskIdentifier]", "query", "tasks, with commas between them"),
    Param("filter[tag]", "query", "tags, any of which suffices"),
    Param("filter[version]", "query", "versions of the code that runs began on"),
    Param("filter[isTest]", "query", "true or false"),
    Param("filter[createdAt][from]", "query", "a date, or milliseconds since 1970"),
    Param("filter[createdAt][to]", "query", "a date, or milliseconds since 1970"),
    Param("filter[createdAt][period]", "query", "a duration: created within it, up to now"),
    Param("filter[batch]", "query", "there are no batches: nothing is found"),
    Param("filter[schedule]", "query", "there are no schedules: nothing is found"),
    Param("filter[bulkAction]", "query", "there are no bulk actions: nothing is found"),
)


def query_of(call: Call) -> RunQuery:
    """Return what is asked for; `BadRequest` for what is not understood."""
    items = call.query.multi_items()
    given = dict(items)
    if len(given) != len(items):
        raise BadRequest("a query parameter is given twice")
    after, before = given.pop("page[after]", None), given.pop("page[before]", None)
    query = RunQuery(
        size=_size(given.pop("page[size]", "25")),
        # The clients ask for the page before with the cursor by which they came to this one, too.
        after=None if before else after,
        before=before,
        status=_statuses(given.pop("filter[status]", ""), old=not is_current(call)),
        task=_commas(given.pop("filter[taskIdentifier]", "")),
        tag=_commas(given.pop("filter[tag]", "")),
        version=_commas(given.pop("filter[version]", "")),
        test=_truth(given.pop("filter[isTest]", "")),
        since=_since(given, call),
        until=_moment(given.pop("filter[createdAt][to]", "")),
        nothing=_belongs(given),
    )
    # A filter that is not understood must not look as if everything fitted it.
    if unknown := [name for name in given if name.startswith(("filter[", "page["))]:
        raise BadRequest(f"{unknown[0][:80]} is not supported")
    return query


def _belongs(given: dict[str, str]) -> bool:
    """Tell whether runs are asked for that belong to something there is none of."""
    asked = [given.pop(name, "") for name in _BELONGS]
    return any(asked)


def _size(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) not in _PAGES:
        raise BadRequest("page[size] is a number from 1 to 100")
    return int(text)


def _commas(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)


def _statuses(text: str, *, old: bool) -> tuple[Status, ...]:
    named = [OLD_NAMES.get(name, name) if old else name for name in _commas(text)]
    if unknown := [name for name in named if name not in _STATUSES]:
        known = ", ".join(sorted(_STATUSES))
        raise BadRequest(f"{unknown[0][:80]} is no status", hint=f"there are {known}")
    return tuple(status for status in get_args(Status) if status in named)


def _truth(text: str) -> bool | None:
    match text:
        case "":
            return None
        case "true" | "false":
            return text == "true"
        case _:
            raise BadRequest("filter[isTest] is true or false")


def _since(given: dict[str, str], call: Call) -> int | None:
    """Return the later of both beginnings that may be named."""
    begins = _moment(given.pop("filter[createdAt][from]", ""))
    period = given.pop("filter[createdAt][period]", "")
    if not period:
        return begins
    start = max(0, call.now - durations.duration_ms(period))
    return start if begins is None else max(begins, start)


def _moment(text: str) -> int | None:
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= _LONGEST:
        return int(text)
    return durations.date(text)
