"""The addresses that complete tokens by themselves: who knows one needs no other credential.

Owns: what proves an address. Only a hash of that is stored; whoever has the master key can
make it again, nobody else can.
Must never know: tokens' values.
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import Final

from headrace.kernel.model import WaitpointId
from headrace.ports import Waitpoint
from headrace.wire.vault import Vault

PATH: Final = "/api/v1/waitpoints/tokens/{token}/callback/{proof}"
_PROOF: Final = re.compile(r"[0-9a-f]{64}")


class Callbacks:
    """Makes proofs, from what only the holder of the master key has."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def digest(self, token: WaitpointId) -> bytes:
        """Return what is stored of the token's proof."""
        return sha256(self._proof(token)).digest()

    def path(self, token: Waitpoint) -> str:
        """Return the path that completes the token.

        One that was made under another master key goes on to work, but nobody can tell it again.
        """
        proof = self._proof(token.id)
        is_known = hmac.compare_digest(sha256(proof).digest(), token.callback)
        return PATH.format(token=token.id, proof=proof.hex() if is_known else "unknown")

    def _proof(self, token: WaitpointId) -> bytes:
        return self._vault.proof(f"callback of {token}")


def is_proof(given: str, digest: bytes) -> bool:
    """Tell whether `given` is the proof of which the digest is known."""
    proof = bytes.fromhex(given) if _PROOF.fullmatch(given) else b""
    return hmac.compare_digest(sha256(proof).digest(), digest)
