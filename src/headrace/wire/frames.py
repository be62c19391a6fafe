"""Frames of the worker channel on a byte stream: four bytes of length, then the frame.

Owns: the length and its limit. `channel` says what is in a frame.
Must never know: sockets.
"""

from __future__ import annotations

from headrace.errors import TooLarge

PREFIX = 4
MOST = 512 * 1_048_576
"""The most bytes of one frame: a run is handed over with its whole journal, which has a limit."""


def framed(frame: bytes) -> bytes:
    """Return the frame behind its length."""
    if len(frame) > MOST:
        raise TooLarge(f"a frame of {len(frame)} bytes; the most is {MOST}")
    return len(frame).to_bytes(PREFIX) + frame


def length_of(prefix: bytes) -> int:
    """Return the length of the frame that follows."""
    if (length := int.from_bytes(prefix)) > MOST:
        raise TooLarge(f"a frame of {length} bytes; the most is {MOST}")
    return length
