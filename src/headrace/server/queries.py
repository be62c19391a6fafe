"""Which runs a list is asked for: the query behind the question mark, read strictly.

Must never know: how runs are found.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from headrace.errors import BadRequest
from headrace.server.calls import Call
from headrace.server.paging import (
    CREATED,
    PAGES,
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
_BELONGS: Final = (
    "filter[batch]",
    "filter[schedule]",
    "filter[bulkAction]",
    "filter[machine]",
    "filter[region]",
)
_OWN_QUEUE: Final = "task/"
PARAMS: Final = (
    *PAGES,
    Param("filter[status]", "query", "statuses, with commas between them"),
    Param("filter[taskIdentifier]", "query", "tasks, with commas between them"),
    Param("filter[tag]", "query", "tags, any of which suffices"),
    Param("filter[version]", "query", "versions of the code that runs began on"),
    Param("filter[isTest]", "query", "true or false", Literal["true", "false", ""]),
    *CREATED,
    Param("filter[batch]", "query", "there are no batches: nothing is found"),
    Param("filter[schedule]", "query", "there are no schedules: nothing is found"),
    Param("filter[bulkAction]", "query", "there are no bulk actions: nothing is found"),
    Param("filter[queue]", "query", "task/TASK is the queue of a task's runs; there are no others"),
    Param("filter[machine]", "query", "no run has a machine of its own: nothing is found"),
    Param("filter[region]", "query", "no run has a region: nothing is found"),
)


def query_of(call: Call) -> RunQuery:
    """Return what is asked for; `BadRequest` for what is not understood."""
    given = given_once(call)
    after, before = pages_beside(given)
    tasks, are_none = _tasks(given)
    period = given.pop("filter[createdAt][period]", "")
    query = RunQuery(
        size=page_size(given),
        after=after,
        before=before,
        status=_statuses(given.pop("filter[status]", ""), old=not is_current(call)),
        task=tasks,
        tag=several(given.pop("filter[tag]", "")),
        version=several(given.pop("filter[version]", "")),
        test=_truth(given.pop("filter[isTest]", "")),
        since=moment(given.pop("filter[createdAt][from]", "")),
        until=moment(given.pop("filter[createdAt][to]", "")),
        within_ms=durations.duration_ms(period) if period else None,
        nothing=_belongs(given) or are_none,
    )
    unknown(given)
    return query


def _tasks(given: dict[str, str]) -> tuple[tuple[str, ...], bool]:
    """Return the tasks that are asked for, and whether no run can be of any.

    Every run is in the queue of its task.
    """
    tasks = several(given.pop("filter[taskIdentifier]", ""))
    queues = several(given.pop("filter[queue]", ""))
    named = {name.removeprefix(_OWN_QUEUE) for name in queues if name.startswith(_OWN_QUEUE)}
    if not queues:
        return tasks, False
    both = tuple(sorted(named.intersection(tasks) if tasks else named))
    return both, not both


def _belongs(given: dict[str, str]) -> bool:
    """Tell whether runs are asked for that have something which no run has."""
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
