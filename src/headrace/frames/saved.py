"""A snapshot as a value and as bytes. Must never know: how it is made or taken up."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Final

from headrace.frames.errors import NotRestored
from headrace.frames.registry import Ref

LOWERING: Final = 1
"""Raised whenever sites are numbered or variables hidden in another way."""
THIS: Final = [LOWERING, *sys.version_info[:2]]


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its code, and how it is reached where it is a generator."""

    ref: Ref
    way: str = ""


@dataclass(frozen=True, slots=True)
class Saved:
    """A suspended coroutine.

    The first `depth` frames await each other, outermost first; the rest are generators that are
    alive in their variables.
    """

    frames: tuple[Frame, ...]
    depth: int
    blob: bytes
    """One dump for each frame, and one for what the leaf said."""

    def __bytes__(self) -> bytes:
        """Return it as `of` reads it."""
        frames = [[*frame.ref, frame.way] for frame in self.frames]
        head = json.dumps([THIS, self.depth, frames], separators=(",", ":"))
        return b"%s\n%s" % (head.encode(), self.blob)

    @classmethod
    def of(cls, data: bytes) -> Saved:
        """Read what `bytes` gave, here or elsewhere."""
        head, _, blob = data.partition(b"\n")
        try:
            made_by, depth, frames = json.loads(head)
        except ValueError as error:
            raise NotRestored(f"this is no snapshot: {error}") from error
        if made_by != THIS:
            raise NotRestored(f"the snapshot was made by {made_by}, this process is {THIS}")
        read = tuple(Frame(Ref(*ref), way) for *ref, way in frames)
        return cls(read, depth, blob)
