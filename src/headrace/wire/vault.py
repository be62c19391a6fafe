"""Secrets at rest: AES-256-GCM under a key that is made of the master key, and proofs of it.

Owns: the form of what is sealed. Must never know: where the master key is kept, what is sealed.
"""

from __future__ import annotations

import hmac
from hashlib import blake2b
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from headrace.errors import Mistake

FORM: Final = b"\x01"
NONCE: Final = 12


class Vault:
    """Seals and opens; a seal holds for one `place` only, so that no row can stand for another."""

    def __init__(self, master: bytes) -> None:
        # What a master key is for is part of what is made of it: it may come to seal other things.
        made = blake2b(master, digest_size=32, person=b"headrace/keys").digest()
        self._cipher = AESGCM(made)
        self._proving = blake2b(master, digest_size=32, person=b"headrace/proofs").digest()

    def __repr__(self) -> str:
        return "Vault()"

    def proof(self, of: str) -> bytes:
        """Return what nobody can make without the master key; the same each time."""
        return hmac.digest(self._proving, of.encode(), "sha256")

    def seal(self, secret: str, place: str, nonce: bytes) -> bytes:
        """Return `secret`, readable only here; a `nonce` is never used twice."""
        return FORM + nonce + self._cipher.encrypt(nonce, secret.encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> str:
        """Return what was sealed at `place`; a `Mistake` if it was not this vault that did."""
        nonce, rest = sealed[1 : 1 + NONCE], sealed[1 + NONCE :]
        try:
            if sealed[:1] != FORM:
                raise InvalidTag
            return self._cipher.decrypt(nonce, rest, place.encode()).decode()
        except (InvalidTag, ValueError):
            raise Mistake(
                "a key in the database was sealed with another master key",
                hint="Give the server the master key from before: HEADRACE_MASTER_KEY.",
            ) from None
