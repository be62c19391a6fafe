"""What a reader of tags was told, as a text that he brings along: any server goes on from it.

Owns: this text, of 2.7 KiB at the most. Losing track costs a reader all his rows once more, never a
row: what is read out of the text has to have the hash that stands in it.
Must never know: how rows look.
"""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from headrace.kernel.model import RunId
from headrace.ports import Revision

Seen = Mapping[RunId, Revision]

FRESH: Final = 100
"""So many of the newest have long marks: what is seen late comes between them."""
_LONG: Final = 4
"""Characters of a long mark; a short one is the first of them."""
_TAIL: Final = 16
"""By so many marks the oldest run is found where older ones stand behind it."""
_EXACT: Final = 1 << 32
_MODULI: Final = (_EXACT, 256, 16)
"""Numbers are written whole, or where that takes too much room, what is left of a division."""
MOST_TEXT: Final = 1_400
"""Characters for numbers. Half of a run's are enough when what is left is below 16."""
_MOST_BYTES: Final = 1 << 16


def head_of(told: Sequence[Revision]) -> str:
    """Return how an offset begins: the same for the same runs as they were."""
    found = sorted((run.run_id, run.version, run.beside) for run in told)
    digest = blake2b(repr(found).encode(), digest_size=6).digest()
    return f"{len(found)}_{int.from_bytes(digest)}"


def offset_of(told: Sequence[Revision]) -> str:
    """Write down what was told, in the order of the store."""
    marks = _marks(told)
    short = (mark[:1] for mark in marks[FRESH:])
    return f"{head_of(told)}.{''.join((*marks[:FRESH], *short))}.{_packed(told)}"


def told_of(offset: str, found: Sequence[Revision]) -> Seen | None:
    """Return what was told, of what there is now; None where that cannot be made out."""
    head, _, rest = offset.partition(".")
    text, _, packed = rest.partition(".")
    marks, (modulus, *left) = _split(text), _unpacked(packed)
    runs = list(_marked(found, marks))
    if modulus not in _MODULI or 2 * len(runs) != len(left):
        return None
    told = [
        Revision(run.run_id, _before(run.version, one, modulus), _before(run.beside, two, modulus))
        for run, one, two in zip(runs, left[: len(runs)], left[len(runs) :], strict=True)
    ]
    return {run.run_id: run for run in told} if head_of(told) == head else None


# --- marks: which runs ---------------------------------------------------------------------------


def _marks(runs: Sequence[Revision]) -> list[str]:
    hashes = b"".join((zlib.crc32(run.run_id.encode()) & 0xFFFFFF).to_bytes(3) for run in runs)
    return _pieces(urlsafe_b64encode(hashes).decode())


def _pieces(text: str) -> list[str]:
    return [text[at : at + _LONG] for at in range(0, len(text), _LONG)]


def _split(text: str) -> list[str]:
    return _pieces(text[: FRESH * _LONG]) + list(text[FRESH * _LONG :])


def _marked(found: Sequence[Revision], marks: Sequence[str]) -> Iterator[Revision]:
    """Find the runs with the marks, in their order, from the oldest on: most new ones come last."""
    names = _marks(found)
    at, runs = _end(names, marks), list[Revision]()
    for mark in reversed(marks):
        at -= 1
        while at >= 0 and not names[at].startswith(mark):
            at -= 1
        if at < 0:
            break
        runs.append(found[at])
    return reversed(runs)


def _end(names: Sequence[str], marks: Sequence[str]) -> int:
    """Return where what was told ended: behind it are those that have made room for others."""
    tail = marks[-_TAIL:]
    for end in range(len(names), len(tail) - 1, -1):
        if all(map(str.startswith, names[end - len(tail) : end], tail)):
            return end
    return len(names)


# --- numbers: how far they had come --------------------------------------------------------------


def _packed(told: Sequence[Revision]) -> str:
    """Write the numbers, as exactly as there is room."""
    numbers = [*(run.version for run in told), *(run.beside for run in told)]
    text = ""
    for modulus in _MODULI:
        left = msgspec.msgpack.encode([modulus, *(number % modulus for number in numbers)])
        squeezer = zlib.compressobj(strategy=zlib.Z_FILTERED)  # they are small, and hardly repeat
        packed = squeezer.compress(left) + squeezer.flush()
        text = urlsafe_b64encode(packed).decode().rstrip("=")
        if len(text) <= MOST_TEXT:
            break
    return text


def _before(now: int, left: int, modulus: int) -> int:
    """Return the last number up to now that leaves so much: none ever goes back."""
    return now - (now - left) % modulus


_numbers: Final = msgspec.msgpack.Decoder(list[int]).decode


def _unpacked(text: str) -> list[int]:
    try:
        packed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return _numbers(zlib.decompressobj().decompress(packed, _MOST_BYTES)) or [0]
    except (ValueError, zlib.error, msgspec.MsgspecError):
        return [0]
