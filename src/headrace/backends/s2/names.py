"""What the streams of runs are called in S2, and back.

    runs/RUN/in/NAME      what the run reads
    runs/RUN/out/NAME     what it writes
    runs/RUN/other/ID     anything else

Each part has no `/` of its own, so no stream is mistaken for another, and all of a run have one
beginning. A name that is too long for S2 is a hash; the records of such a stream say whose.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

from headrace.kernel.model import RunId, StreamId, inward, outward

LONGEST: Final = 512
"""Bytes of a stream's name, as S2 wants them."""
HASHED: Final = "#"
_ODD: Final = re.compile(r"[%/#\x00-\x1f\x7f]")
_ESCAPED: Final = re.compile(r"%([0-9a-f]{2})")
_FOLDERS: Final = (("in", "<", inward), ("out", ">", outward))


def folder(prefix: str, run_id: RunId) -> str:
    """Return what the names of all streams of a run begin with."""
    return f"{prefix}runs/{_short(_escaped(run_id))}/"


def name_of(prefix: str, run_id: RunId, stream: StreamId) -> str:
    """Return the name of a stream."""
    for part, mark, _ in _FOLDERS:
        if stream.startswith(mark):
            return _fitting(f"{folder(prefix, run_id)}{part}/", _escaped(stream[1:]))
    return _fitting(f"{folder(prefix, run_id)}other/", _escaped(stream))


def stream_of(prefix: str, run_id: RunId, name: str) -> StreamId | None:
    """Return the stream that the name stands for, if the name tells."""
    part, _, rest = name.removeprefix(folder(prefix, run_id)).partition("/")
    if rest.startswith(HASHED):
        return None
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), rest)
    for known, _, made in _FOLDERS:
        if part == known:
            return made(plain)
    return StreamId(plain)


def is_hashed(name: str) -> bool:
    """Tell whether the name does not tell the stream."""
    return name.rpartition("/")[2].startswith(HASHED)


def _escaped(text: str) -> str:
    return _ODD.sub(lambda found: f"%{ord(found[0]):02x}", text)


def _fitting(before: str, name: str) -> str:
    return f"{before}{name}" if len(f"{before}{name}".encode()) <= LONGEST else before + _hash(name)


def _short(run: str) -> str:
    """Leave room for the rest: nobody's run has such an id but in a test."""
    return run if len(run.encode()) <= LONGEST // 2 else _hash(run)


def _hash(text: str) -> str:
    return HASHED + blake2b(text.encode(), digest_size=32).hexdigest()
