"""Which secret key opens which environment.

Owns: the look-up. Must never know: where keys are kept, or how they are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from hmac import compare_digest

from headrace.kernel.model import EnvId


class KeyRing:
    """The secret keys of each environment, newest first."""

    def __init__(self, keys: Mapping[EnvId, Sequence[str]]) -> None:
        self._keys = {env: tuple(known) for env, known in keys.items()}
        self._envs = {
            _digest(key): (key.encode(), env) for env, known in self._keys.items() for key in known
        }

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    def find(self, secret: str) -> EnvId | None:
        """Return the environment that `secret` opens."""
        # Looked up by its hash, so that the time it takes tells nothing about any key.
        known, env = self._envs.get(_digest(secret), (b"", None))
        return env if compare_digest(known, secret.encode("utf-8", "replace")) else None

    def of(self, env: EnvId) -> Sequence[str]:
        """Return the keys that may have signed a token of `env`."""
        return self._keys.get(env, ())


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "replace")).digest()
