"""Which runs a list is asked for: the query behind the question mark, read strictly.

Must never know: how runs are found.
"""

from __future__ import annotations

from typing import Final, get_args

from headrace.errors import BadRequest
from headrace.server.calls import Call
from headrace.server.paging import (
    given_once,
    moment,
    page_size,
    pages_beside,
    several,
    unknown,
)
from headrace.server.routes import Param
from headrace.server.shown import is_current
from headrace.wire import durations
from headrace.wire.statuses import OLD_NAMES
from headrace.wire.views import RunQuery, Status

_STATUSES: Final = frozenset(get_args(Status))
_BELONGS: Final = ("filter[batch]", "filter[schedule]", "filter[bulkAction]")
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
    given = given_once(call)
    after, before = pages_beside(given)
    query = RunQuery(
        size=page_size(given),
        after=after,
        before=before,
        status=_statuses(given.pop("filter[status]", ""), old=not is_current(call)),
        task=several(given.pop("filter[taskIdentifier]", "")),
        tag=several(given.pop("filter[tag]", "")),
        version=several(given.pop("filter[version]", "")),
        test=_truth(given.pop("filter[isTest]", "")),
        since=_since(given, call),
        until=moment(given.pop("filter[createdAt][to]", "")),
        nothing=_belongs(given),
    )
    unknown(given)
    return query


def _belongs(given: dict[str, str]) -> bool:
    """Tell whether runs are asked for that belong to something there is none of."""
    asked = [given.pop(name, "") for name in _BELONGS]
    return any(asked)


def _statuses(text: str, *, old: bool) -> tuple[Status, ...]:
    named = [OLD_NAMES.get(name, name) if old else name for name in several(text)]
    if wrong := [name for name in named if name not in _STATUSES]:
        known = ", ".join(sorted(_STATUSES))
        raise BadRequest(f"{wrong[0][:80]} is no status", hint=f"there are {known}")
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
    begins = moment(given.pop("filter[createdAt][from]", ""))
    period = given.pop("filter[createdAt][period]", "")
    if not period:
        return begins
    start = max(0, call.now - durations.duration_ms(period))
    return start if begins is None else max(begins, start)
