"""What each subscriber of tags has got, run by run, so that only what is new is sent.

Owns: this memory and its limit. Losing it costs a subscriber all his rows once more, never a row.
Must never know: how rows look.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from headrace.kernel.model import EnvId, RunId
from headrace.ports import Revision

MOST = 200_000
"""Runs remembered, over all subscribers together."""

Seen = Mapping[RunId, Revision]


@dataclass(frozen=True, slots=True)
class _Subscriber:
    """One of them: what he had when he was given `offset`."""

    offset: str
    seen: Seen


class Subscribers:
    """The latest to have asked are remembered."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._size = most, 0
        self._known: OrderedDict[tuple[EnvId, str], _Subscriber] = OrderedDict()

    @property
    def size(self) -> int:
        """Return how many runs are remembered."""
        return self._size

    def seen(self, env: EnvId, handle: str, offset: str) -> Seen:
        """Return what the subscriber had when he was given `offset`; nothing if it is forgotten."""
        known = self._known.get((env, handle))
        if known is None or known.offset != offset:
            return {}
        self._known.move_to_end((env, handle))
        return known.seen

    def remember(self, env: EnvId, handle: str, seen: Seen) -> str:
        """Note what the subscriber has from now on; return the offset that stands for it."""
        self._forget((env, handle))
        offset = offset_of(seen)
        self._known[env, handle] = _Subscriber(offset, seen)
        self._size += len(seen)
        while self._size > self._most and len(self._known) > 1:
            self._forget(next(iter(self._known)))
        return offset

    def _forget(self, name: tuple[EnvId, str]) -> None:
        known = self._known.pop(name, None)
        if known is not None:
            self._size -= len(known.seen)


def offset_of(seen: Seen) -> str:
    """Return a text that is the same for the same runs as they were."""
    told = sorted((run.run_id, run.version, run.beside) for run in seen.values())
    digest = blake2b(repr(told).encode(), digest_size=6).digest()
    return f"{len(seen)}_{int.from_bytes(digest)}"
