"""The route that tells what has become of a run, event by event, as the official client asks.

Owns: how its answer looks. Must never know: more of a run than everybody is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from headrace.errors import NotFound
from headrace.server.calls import Answer, Call
from headrace.server.policy import OfRun
from headrace.server.routes import Route
from headrace.wire.views import RunView, Wire

_encode: Final = msgspec.json.Encoder().encode


class Event(Wire, frozen=True, kw_only=True):
    """Something that has become of a run, or (with `until`) that it stands at."""

    event: str
    time: str
    until: str | UnsetType = UNSET
    stream: str | UnsetType = UNSET
    token: str | UnsetType = UNSET
    message: str | UnsetType = UNSET


class History(Wire, frozen=True, kw_only=True):
    """What has become of a run, the oldest first."""

    events: list[Event]


async def tell_history(call: Call) -> Answer:
    """Tell what has become of a run, and where it stands."""
    view = await call.api.retrieve(call.params["run"])
    return Answer(_encode(History(events=[*_past(view), *_present(view)])))


def _past(view: RunView) -> Iterator[Event]:
    yield Event(event="created", time=view.created_at)
    if isinstance(view.started_at, str):
        yield Event(event="started", time=view.started_at)
    if isinstance(view.finished_at, str):
        error = UNSET if isinstance(view.error, UnsetType) else view.error.message
        yield Event(event=view.status.lower(), time=view.finished_at, message=error)


def _present(view: RunView) -> Iterator[Event]:
    now = view.updated_at
    if view.status == "DELAYED":
        yield Event(event="delayed", time=now, until=view.delayed_until)
    if isinstance(view.retrying_until, str):
        yield Event(event="retrying", time=now, until=view.retrying_until)
    if isinstance(view.blocked, str):
        yield Event(event="blocked", time=now, message=view.blocked)
    for wait in view.waits:
        yield Event(
            event="waiting", time=wait.since, until=wait.until, stream=wait.stream, token=wait.token
        )


ROUTES: Final = [
    Route(
        method="GET",
        path="/api/v1/runs/{run}/events",
        policy=OfRun("read"),
        handler=tell_history,
        summary="Tell what has become of a run, and where it stands.",
        gives=History,
        errors=(NotFound,),
    )
]
