"""Scopes: what a caller may do who may not do everything.

Owns: the grammar. Must never know: tokens, keys, routes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from headrace.kernel.model import EnvId


@dataclass(frozen=True, slots=True)
class Scope:
    """`action[:kind[:id]]`; an id may hold colons."""

    action: str
    kind: str | None = None
    id: str | None = None

    def grants(self, action: str, kind: str, id: str | None) -> bool:
        """Tell whether the scope permits `action` on the resource, or (None) on all of a kind."""
        if self.action == "admin" and self.kind is None:
            return True
        if self.action not in {action, "*"} or not self.action:
            return False
        return self.kind == "all" or (self.kind == kind and self.id in {None, id})

    def covers(self, other: Scope) -> bool:
        """Tell whether the scope permits everything that the other one does."""
        if other.kind is None and other.action != "admin":
            return True  # it permits nothing
        if self.action == "admin" and self.kind is None:
            return True
        if other.kind is None or not self.action or self.action not in {other.action, "*"}:
            return False
        if self.kind == "all":
            return True
        # A stream of a run is named behind it: write:inputStreams:RUN:STREAM.
        named = self.kind == "inputStreams" and self.id is not None
        inside = named and (other.id or "").startswith(f"{self.id}:")
        return self.kind == other.kind and (inside or self.id in {None, other.id})


def parse_scope(text: str) -> Scope:
    """Read a scope; text that means nothing grants nothing."""
    action, *rest = text.split(":", 2)
    return Scope(action, *rest)


@dataclass(frozen=True, slots=True)
class Permits:
    """What a caller may do who may not do everything."""

    env: EnvId
    scopes: tuple[Scope, ...]

    def grants(self, action: str, resources: Iterable[tuple[str, str | None]]) -> bool:
        """Tell whether any scope permits `action` on any of the resources, (kind, id) each."""
        return any(
            scope.grants(action, kind, name) for kind, name in resources for scope in self.scopes
        )

    def names(self, action: str, kind: str, id: str) -> bool:
        """Tell whether a scope permits `action` on this one by its name, not as one of many."""
        return any(
            scope.id == id and scope.grants(action, kind, id) and scope.kind == kind
            for scope in self.scopes
        )

    def reaches(self, action: str, kind: str) -> bool:
        """Tell whether a scope permits `action` on all of a kind, or on any one of it."""
        return any(scope.grants(action, kind, scope.id) for scope in self.scopes)

    def denied(self, asked: Iterable[str]) -> list[str]:
        """List what of the scopes asked for is more than these permit."""
        return [
            text
            for text in asked
            if not any(scope.covers(parse_scope(text)) for scope in self.scopes)
        ]
