"""Where a text file stands, also in the middle of `for line in file`, where Python will not tell.

Must never know: how a file is saved.

`tell` is off during such a loop, because lines were read ahead. What was read ahead is taken
out, turned back into bytes, and looked for where it must have been. Where that is not possible,
characters are counted.
"""

from __future__ import annotations

import codecs
import io
import os
from typing import Any, Final

_MEASURABLE: Final = frozenset(
    {"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1250", "cp1251", "cp1252"}
)
_BLOCK: Final = 1 << 16
_FAITHFUL: Final = frozenset({"strict", "surrogateescape", "surrogatepass"})


def position(it: io.TextIOWrapper) -> int:
    """Return what `seek` wants, and must be given: in between the file stands anywhere."""
    try:
        return it.tell()
    except OSError:
        return _measured(it)


def _measured(it: io.TextIOWrapper) -> int:
    if not _is_measurable(it):
        return _counted(it, 0)
    buffer: Any = it.buffer
    end: int = buffer.tell()
    ahead, across = _ahead(it, buffer, end)
    taken = ahead + across
    high = end - len(_encoded(it, ahead))
    low = max(0, high - max(0, len(_encoded(it, across)) - 1))
    text = _encoded(it, taken)
    # Only one place can fit: two would be a line's length apart, and `low` leaves out a whole line.
    place = os.pread(it.fileno(), high - low + len(text), low).find(text)
    return _counted(it, len(taken)) if place < 0 else low + place


def _counted(it: io.TextIOWrapper, taken: int) -> int:
    """Count the characters to the end and from the start: slow, and right for every encoding."""
    left = taken + _length(it)
    it.seek(0)
    before = _length(it) - left
    it.seek(0)
    while before > 0:
        before -= len(it.read(min(before, _BLOCK)))
    return it.tell()


def _length(it: io.TextIOWrapper) -> int:
    return sum(len(block) for block in iter(lambda: it.read(_BLOCK), ""))


def _is_measurable(it: io.TextIOWrapper) -> bool:
    return (
        codecs.lookup(it.encoding).name in _MEASURABLE
        and it.errors in _FAITHFUL
        and not isinstance(it.newlines, tuple)
    )


def _ahead(it: io.TextIOWrapper, buffer: Any, end: int) -> tuple[str, str]:
    """Take out the lines that were read ahead, and the one of which only a part was, if any."""
    taken = list[str]()
    while line := it.readline():
        if buffer.tell() != end:
            return "".join(taken), line
        taken.append(line)
    return "".join(taken), ""


def _encoded(it: io.TextIOWrapper, text: str) -> bytes:
    if isinstance(it.newlines, str) and "\r" not in text:  # else newlines are kept as they are
        text = text.replace("\n", it.newlines)
    return text.encode(it.encoding, it.errors or "strict")
