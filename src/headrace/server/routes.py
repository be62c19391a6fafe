"""What a route declares; from this alone it is served, guarded, documented and tested.

Must never know: any handler's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from headrace.errors import HeadraceError
from headrace.server.calls import Call, Reply
from headrace.server.policy import Policy

Handler: TypeAlias = Callable[[Call], Awaitable[Reply]]
JSON: Final = "application/json"
NONE: TypeAlias = Literal[""]
"""An empty header, where that is as good as none."""
Kind: TypeAlias = Literal["json", "events", "socket"]


@dataclass(frozen=True, slots=True)
class Param:
    """A header or a query parameter that a route reads."""

    name: str
    place: Literal["header", "query"]
    text: str
    form: object = str
    """The type of what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path. `takes` and `gives` are the types of the bodies, as JSON.

    Where it is `deep`, the last part of the path may hold slashes.
    """

    method: Literal["GET", "HEAD", "POST", "PUT"]
    path: str
    policy: Policy | None
    handler: Handler
    summary: str
    kind: Kind = "json"
    status: int = 200
    takes: object = None
    gives: object = None
    errors: tuple[type[HeadraceError], ...] = ()
    others: Mapping[int, str] = field(default_factory=dict[int, str])
    """What further statuses mean that are no errors."""
    params: tuple[Param, ...] = ()
    repeats: bool = False
    """The keys of a request tell a repeat of it, which then does nothing."""
    deep: bool = False
    takes_as: tuple[str, ...] = (JSON,)
    """The media types of the body, where it takes one. All but JSON are taken as text."""
    optional: bool = False
    """The body may be left out."""
    gives_as: tuple[str, ...] = (JSON,)
    """The media types of what it gives, where it gives something and no events."""
    event: str = ""
    """What its events are called, where it gives events."""
    held_by: str = ""
    """The query by which an answer is held until there is news; events are held in any case."""

    @property
    def name(self) -> str:
        """Return what the route is called in lists."""
        return f"{self.method} {self.path}"


def guarded(routes: list[Route]) -> list[Route]:
    """Return the routes, each with its policy and none twice; a route without one is no route."""
    seen: set[str] = set()
    for route in routes:
        if route.policy is None:
            raise TypeError(f"{route.name} has no policy")
        if route.name in seen:
            raise TypeError(f"{route.name} is declared twice")
        seen.add(route.name)
    return routes
