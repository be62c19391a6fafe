"""Pages of what is listed. One thing more than is shown is asked for, to know if there is more.

Must never know: what is listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from msgspec import UNSET

from headrace.wire.views import Pagination

T = TypeVar("T")


class Paged(Protocol):
    """What a list was asked for: up to `size` things behind `after`, or else before `before`."""

    @property
    def size(self) -> int:
        """Return how many are shown."""
        ...

    @property
    def after(self) -> str | None:
        """Return the last one of the page before."""
        ...

    @property
    def before(self) -> str | None:
        """Return the first one of the page behind."""
        ...


def page_of(query: Paged, found: Sequence[T]) -> Sequence[T]:
    """Leave out the one that was found beyond the page."""
    return found[-query.size :] if _is_backwards(query) else found[: query.size]


def beside(query: Paged, found: Sequence[T], ids: Sequence[str]) -> Pagination:
    """Return the cursors of the pages beside that of `ids`, as far as there are any."""
    if not ids:
        return Pagination()
    more = len(found) > query.size
    older = _is_backwards(query) or more
    newer = more if _is_backwards(query) else query.after is not None
    return Pagination(next=ids[-1] if older else UNSET, previous=ids[0] if newer else UNSET)


def _is_backwards(query: Paged) -> bool:
    return query.before is not None and query.after is None
