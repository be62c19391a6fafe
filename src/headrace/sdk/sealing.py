"""Seals: a snapshot is opened only by whoever has the key that closed it.

Owns: the seal's form, and which keys are tried. Must never know: what is inside.

A snapshot is unpickled, and so may run any code; the server that stores it, and whoever can write
to its database, must not be able to make one. The seal is over the run's id and the place in its
journal too, so that one snapshot cannot stand for another.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

FORM: Final = 1
_KEY_ID: Final = 2
_SEAL: Final = 16
_HEAD: Final = 1 + _KEY_ID + _SEAL


class NotOpened(Exception):
    """A snapshot was closed with another key, or is not what was closed."""


@dataclass(frozen=True, slots=True)
class Sealer:
    """The workers' keys: the first closes, all open, so that a key can be replaced."""

    keys: tuple[bytes, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Sealer:
        """Make keys of texts of whatever length."""
        return cls(tuple(blake2b(text.encode(), digest_size=32).digest() for text in texts))

    def sealed(self, place: bytes, content: bytes) -> bytes:
        """Close what belongs to `place`."""
        key = self.keys[0]
        return bytes([FORM]) + _id(key) + _seal(key, place, content) + content

    def opened(self, place: bytes, data: bytes) -> bytes:
        """Return what was closed, or raise."""
        if len(data) < _HEAD or data[0] != FORM:
            raise NotOpened("the snapshot has another form")
        content, seal = data[_HEAD:], data[1 + _KEY_ID : _HEAD]
        known = [key for key in self.keys if _id(key) == data[1 : 1 + _KEY_ID]]
        if not known:
            raise NotOpened("the snapshot was sealed with a key that this worker does not have")
        if not any(hmac.compare_digest(seal, _seal(key, place, content)) for key in known):
            raise NotOpened("the snapshot's seal is broken")
        return content


def _id(key: bytes) -> bytes:
    return blake2b(key, digest_size=_KEY_ID, person=b"key-id").digest()


def _seal(key: bytes, place: bytes, content: bytes) -> bytes:
    framed = bytes([FORM]) + len(place).to_bytes(2) + place + content
    return hmac.digest(key, framed, "sha256")[:_SEAL]
