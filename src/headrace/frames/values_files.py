"""Open files: opened again by path, never emptied and never made anew, at the same position.

Owns: which files can be saved, their layers (text over buffer over descriptor), the check that
a file is still the one that was left. Must never know: hooks, frames.
"""

from __future__ import annotations

import gc
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from headrace.frames.values_errors import CannotLoad, Refused
from headrace.frames.values_own import Own, Reduction
from headrace.frames.values_position import position

_STANDARD: Final = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")
_BUFFERS: Final = (io.BufferedReader, io.BufferedWriter, io.BufferedRandom)
_CHECKED: Final = 4_096
_ADVICE: Final = "open it again after the wait, or use resource(...)"


def file(it: Any, _: Own) -> Any:
    if isinstance(it, io.BytesIO | io.StringIO):
        return NotImplemented  # they are memory, and save themselves
    for name, layer, stream in _standard():
        if stream is it:
            return (_stream, (name, layer))
    if type(it) is io.TextIOWrapper:
        return _closed_as(it) if it.closed else _text(it)
    if type(it) in _BUFFERS:
        return _closed_as(it) if it.closed else _buffer(it)
    if type(it) is io.FileIO:
        return _closed_as(it) if it.closed else _raw(it)
    raise Refused("it is a kind of file that cannot be opened again by its path", _ADVICE)


def _standard() -> Iterator[tuple[str, int, object]]:
    for name in _STANDARD:
        for layer in range(3):
            yield name, layer, _stream(name, layer)


def _stream(name: str, layer: int) -> Any:
    found: object = getattr(sys, name, None)
    for part in ("buffer", "raw")[:layer]:
        found = getattr(found, part, None)
    return found


def _text(it: io.TextIOWrapper) -> Reduction:
    _known(it)  # before anything is moved in what cannot be saved
    at = position(it)  # before flush, which makes a file that reads ahead tell a wrong position
    it.flush()
    it.seek(0)  # forgets what was read ahead: it would be taken for the newline
    newline = _newline(it)
    it.seek(at)
    how = (it.buffer, it.encoding, it.errors, newline, it.line_buffering, it.write_through)
    return (io.TextIOWrapper, how, (at, dict(vars(it))), None, None, _go_on)


def _newline(it: io.TextIOWrapper) -> str | None:
    """Return what `open` was told; the file has no attribute for it, but the collector sees it."""
    texts = [each for each in gc.get_referents(it) if type(each) is str]
    return texts[1] if len(texts) > 2 else None  # noqa: PLR2004 - encoding, newline, errors


def _go_on(it: io.TextIOWrapper, state: tuple[int, dict[str, object]]) -> None:
    at, attributes = state
    it.seek(at)
    vars(it).update(attributes)  # `mode`, which `open` leaves here


def _buffer(it: Any) -> Reduction:
    _known(it)
    if it.writable():
        it.flush()
    kind = cast("Any", type(it))
    return (kind, (it.raw,), it.tell(), None, None, kind.seek)


def _raw(it: io.FileIO) -> Reduction:
    path = str(Path(os.fsdecode(_known(it))).absolute())
    at = os.lseek(it.fileno(), 0, os.SEEK_CUR)
    size = os.fstat(it.fileno()).st_size
    return (_reopen, (it.name, path, it.mode, size, at, _check(path, at)))


def _known(it: Any) -> str | bytes:
    """Return the path that leads to this very file, or refuse."""
    status, path = os.fstat(it.fileno()), it.name
    if not stat.S_ISREG(status.st_mode):
        raise Refused(
            "it is no regular file: a pipe, a socket or a terminal has one end here", _ADVICE
        )
    if not isinstance(path, str | bytes):
        raise Refused("it is a file without a path, opened from a descriptor", _ADVICE)
    try:
        if Path(os.fsdecode(path)).stat().st_ino == status.st_ino:
            return path
    except OSError:
        pass
    raise Refused(
        f"it was deleted, moved or replaced since it was opened: {os.fsdecode(path)}", _ADVICE
    )


def _check(path: str, at: int) -> int | None:
    """Return a checksum of what stands before a position, or None if it may not be read."""
    start = max(0, at - _CHECKED)
    try:
        with Path(path).open("rb") as beside:
            beside.seek(start)
            return zlib.crc32(beside.read(at - start))
    except PermissionError:
        return None


@dataclass(frozen=True, slots=True)
class _Left:
    """How a file was left."""

    path: str
    mode: str
    size: int
    at: int
    check: int | None


def _reopen(name: str | bytes, *left: Any) -> io.FileIO:
    was = _Left(*left)
    try:
        raw = io.FileIO(was.path, was.mode, opener=_as_it_is)
    except OSError as error:
        _changed(was.path, f"it cannot be opened: {error.strerror}")
    if wrong := _what_changed(was, os.fstat(raw.fileno())):
        raw.close()
        _changed(was.path, wrong)
    raw.seek(was.at)
    raw.name = name
    return raw


def _as_it_is(path: Any, flags: int) -> int:
    return os.open(path, flags & ~(os.O_CREAT | os.O_TRUNC | os.O_EXCL))


def _what_changed(was: _Left, status: os.stat_result) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "it is no longer a regular file"
    if status.st_size < was.size:
        return f"it had {was.size} bytes, and has {status.st_size} now"
    if was.check is not None and was.check != _check(was.path, was.at):
        return f"what stands before byte {was.at} is not what stood there"
    return None


def _changed(path: str, what: str) -> NoReturn:
    raise CannotLoad(f"the file {path} is not as it was left: {what}")


def _closed_as(it: Any) -> Reduction:
    text = (it.encoding, it.errors, dict(vars(it))) if type(it) is io.TextIOWrapper else None
    mode = getattr(it, "mode", "rb")
    return (_closed, (type(it), it.name, mode, text))


def _closed(
    kind: type, name: Any, mode: str, text: tuple[str, str, dict[str, object]] | None
) -> Any:
    """Return a closed file, which has nothing but a name and a mode."""
    raw = io.FileIO(os.devnull, "r+b")
    raw.name = name
    if kind is io.FileIO:
        raw.close()
        return raw
    if text is None:
        made: Any = kind(raw)
    else:
        buffer = io.BufferedRandom if "+" in mode else io.BufferedReader
        made = io.TextIOWrapper(buffer(raw), text[0], text[1])
        made.__dict__.update(text[2])
    made.close()
    return made
