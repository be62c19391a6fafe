"""Where a text file stands, also in the middle of `for line in file`, where Python will not tell.

Must never know: how a file is saved.

`tell` is off during such a loop, because lines were read ahead. What was read ahead is taken
out, turned back into bytes, and so measured; then the file is put where it stands.
"""

from __future__ import annotations

import codecs
import io
from typing import Any, Final

from headrace.frames.values_errors import Refused

_MEASURABLE: Final = frozenset(
    {"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1250", "cp1251", "cp1252"}
)
_FAITHFUL: Final = frozenset({"strict", "surrogateescape", "surrogatepass"})
_CUT: Final = 4  # bytes of a character, or of a newline, that were cut off by the reading ahead


def position(it: io.TextIOWrapper) -> int:
    """Return what `seek` wants; leaves the file where it stands."""
    try:
        return it.tell()
    except OSError:
        return _measured(it)


def _measured(it: io.TextIOWrapper) -> int:
    if not _is_measurable(it):
        raise Refused(
            "it is in the middle of `for line in file`, where its position cannot be told",
            "read it with `while line := file.readline()`",
        )
    buffer: Any = it.buffer
    end: int = buffer.tell()
    ahead, after = _ahead(it, buffer, end)
    newline = it.newlines if isinstance(it.newlines, str) else "\n"
    size = len(_encoded(it, ahead, newline))
    for at in range(end - size, max(-1, end - size - _CUT), -1):
        it.seek(at)
        if _reads(it, ahead + after):
            it.seek(at)
            return at
    raise Refused("its position in the middle of `for line in file` cannot be told")


def _is_measurable(it: io.TextIOWrapper) -> bool:
    return (
        codecs.lookup(it.encoding).name in _MEASURABLE
        and it.errors in _FAITHFUL
        and not isinstance(it.newlines, tuple)
    )


def _ahead(it: io.TextIOWrapper, buffer: Any, end: int) -> tuple[str, str]:
    """Take out what was decoded and not yet given, and one more: it may have been cut."""
    taken = list[str]()
    while char := it.read(1):
        if buffer.tell() != end:
            return "".join(taken), char
        taken.append(char)
    return "".join(taken), ""


def _encoded(it: io.TextIOWrapper, text: str, newline: str) -> bytes:
    plain = "\r" in text  # newlines are kept as they are
    return (text if plain else text.replace("\n", newline)).encode(
        it.encoding, it.errors or "strict"
    )


def _reads(it: io.TextIOWrapper, text: str) -> bool:
    try:
        return it.read(len(text)) == text
    except UnicodeDecodeError:
        return False
