"""A snapshot as a value and as bytes. Must never know: how it is made or taken up."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

from headrace.frames.errors import NotRestored
from headrace.frames.registry import Ref

LOWERING: Final = 2
"""Raised whenever sites are numbered, variables hidden, or bytes laid out in another way."""
MARK: Final = b"F"
WITH_SOURCES: Final = b"K"
THIS: Final = bytes([LOWERING, *sys.version_info[:2]])


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
    kept: bytes = b""
    """The sources of its functions, if they were to be taken along."""

    def __bytes__(self) -> bytes:
        """Return it as `of` reads it."""
        out = bytearray((WITH_SOURCES if self.kept else MARK) + THIS)
        _number(out, self.depth)
        _number(out, len(self.frames))
        module = ""
        for frame in self.frames:
            within, qualname, nth, part, fingerprint = frame.ref
            _text(out, "" if within == module else within)
            _text(out, qualname)
            _number(out, nth + 1)  # it may be -1
            _number(out, part)
            _bytes(out, bytes.fromhex(fingerprint))
            _text(out, frame.way)
            module = within
        if self.kept:
            _bytes(out, self.kept)
        return bytes(out) + self.blob

    @classmethod
    def of(cls, data: bytes) -> Saved:
        """Read what `bytes` gave, here or elsewhere."""
        made_by = data[1 : 1 + len(THIS)]
        if data[:1] not in {MARK, WITH_SOURCES}:
            raise NotRestored("this is no snapshot: it begins in another way")
        if made_by != THIS:
            raise NotRestored(f"the snapshot was made by {[*made_by]}, this process is {[*THIS]}")
        reader = _Reader(data, 1 + len(THIS))
        try:
            depth, count = reader.number(), reader.number()
            frames = tuple(reader.frame() for _ in range(count))
            kept = reader.bytes() if data[:1] == WITH_SOURCES else b""
        except (IndexError, ValueError) as error:
            raise NotRestored(f"this is no snapshot: {error}") from error
        return cls(frames, depth, data[reader.at :], kept)


def _number(out: bytearray, value: int) -> None:
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _bytes(out: bytearray, value: bytes) -> None:
    _number(out, len(value))
    out += value


def _text(out: bytearray, value: str) -> None:
    _bytes(out, value.encode())


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data, self.at = data, at
        self._module = ""

    def number(self) -> int:
        """Read what `_number` wrote."""
        value = shift = 0
        while True:
            byte = self._data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte <= 0x7F:  # noqa: PLR2004
                return value
            shift += 7

    def bytes(self) -> bytes:
        """Read what `_bytes` wrote."""
        end = self.number() + self.at
        found = self._data[self.at : end]
        if len(found) != end - self.at:
            raise ValueError("it is cut off")
        self.at = end
        return found

    def _text(self) -> str:
        return self.bytes().decode()

    def frame(self) -> Frame:
        """Read one frame."""
        self._module = self._text() or self._module
        qualname, nth, part = self._text(), self.number() - 1, self.number()
        ref = Ref(self._module, qualname, nth, part, self.bytes().hex())
        return Frame(ref, self._text())
