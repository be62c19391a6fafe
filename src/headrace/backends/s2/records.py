"""Records as S2 keeps them: the body, and headers that say what the log must know of it.

- `at`: instant, in decimal;
- `key`: the idempotency key, and `digest` of what was first sent under it, where there are any;
- `by`: which append wrote it: after a lost acknowledgement it tells one's own from another's;
- `below`: bytes of all bodies before it, so that a stream is weighed by its last record;
- `hash`: of a body that is in `Blobs`; `size` is its length then, and the record's own is empty;
- `epoch`: of the run, for what it writes: no earlier life writes after a later one;
- `apart`: how many bodies of the stream are in `Blobs`, its own included, if any are;
- `stream`: whose record it is, where the stream's name does not tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Protocol

from headrace.errors import Unavailable
from headrace.kernel.model import Instant, StreamId, is_inward
from headrace.ports import Draft

LONGEST: Final = 900 * 1_024
"""Bytes of body and key in a record; S2 takes 1 MiB with everything."""

AT_ONCE_BYTES: Final = 1_000_000
"""Of one append, headers included; S2 takes 1 MiB."""
ROUND: Final = 512
"""More than what the other headers of a record weigh, but for the name of a stream."""

Headers = list[tuple[bytes, bytes]]


class Sequenced(Protocol):
    """What S2 gives back."""

    @property
    def seq_num(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """One record in S2. Its body is in `Blobs` where there is a `hash`."""

    seq: int
    at: Instant
    by: bytes
    below: int
    body: bytes
    size: int
    key: bytes = b""
    digest: bytes = b""
    hash: str = ""
    apart: int = 0
    epoch: int = 0
    stream: StreamId | None = None

    @property
    def end(self) -> int:
        """Return the bytes of all bodies up to this one."""
        return self.below + self.size


def is_long(draft: Draft) -> bool:
    """Tell whether the body goes to `Blobs`."""
    return len(draft.body) + len(draft.key) > LONGEST


def weight(draft: Draft) -> int:
    """Return what a draft's record weighs at the most."""
    body = 0 if is_long(draft) else len(draft.body)
    return body + len(draft.key) + len(draft.digest) + 4 * len(draft.stream) + ROUND


def hash_of(body: bytes) -> str:
    """Return what a body in `Blobs` is known by."""
    return blake2b(body, digest_size=32).hexdigest()


def stored_of(
    draft: Draft, by: bytes, below: int, apart: int, *, says_whose: bool = False
) -> Stored:
    """Return the record that a draft becomes."""
    is_apart = is_long(draft)
    return Stored(
        seq=draft.seq,
        at=draft.at,
        by=by,
        below=below,
        body=b"" if is_apart else draft.body,
        size=len(draft.body),
        key=draft.key,
        digest=draft.digest,
        hash=hash_of(draft.body) if is_apart else "",
        apart=apart + is_apart,
        epoch=0 if is_inward(draft.stream) else draft.epoch,
        stream=draft.stream if says_whose else None,
    )


def headers_of(stored: Stored) -> Headers:
    """Return the headers of a record."""
    headers: Headers = [(b"at", b"%d" % stored.at), (b"by", stored.by)]
    headers += [(b"below", b"%d" % stored.below)] if stored.below else []
    headers += [(b"key", stored.key)] if stored.key else []
    headers += [(b"digest", stored.digest)] if stored.digest else []
    if stored.hash:
        headers += [(b"hash", stored.hash.encode()), (b"size", b"%d" % stored.size)]
    headers += [(b"epoch", b"%d" % stored.epoch)] if stored.epoch else []
    headers += [(b"apart", b"%d" % stored.apart)] if stored.apart else []
    headers += [(b"stream", stored.stream.encode())] if stored.stream is not None else []
    return headers


def read(found: Sequenced, name: str) -> Stored:
    """Return what S2 keeps, or say that it is none of ours."""
    said = dict(found.headers)
    hashed = said.get(b"hash", b"").decode()
    whose = said.get(b"stream")
    try:
        return Stored(
            seq=found.seq_num,
            at=Instant(int(said[b"at"])),
            by=said[b"by"],
            below=int(said.get(b"below", b"0")),
            body=found.body,
            size=int(said[b"size"]) if hashed else len(found.body),
            key=said.get(b"key", b""),
            digest=said.get(b"digest", b""),
            hash=hashed,
            epoch=int(said.get(b"epoch", b"0")),
            apart=int(said.get(b"apart", b"0")),
            stream=None if whose is None else StreamId(whose.decode()),
        )
    except (KeyError, ValueError) as error:
        raise foreign(name, found.seq_num) from error


def foreign(name: str, seq: int) -> Unavailable:
    """Say that somebody else has written to a stream."""
    return Unavailable(
        f"record {seq} of the stream {name!r} in S2 was not written by Headrace",
        hint="Nobody else may write to, trim or fence the streams of runs.",
    )


def broken(name: str, seq: int) -> Unavailable:
    """Say that records are not there any more that were acknowledged."""
    return Unavailable(
        f"record {seq} of the stream {name!r} in S2 is gone, though it was acknowledged",
        hint="Does s2-lite run without --local-root, or does the basin forget what is old?",
    )
