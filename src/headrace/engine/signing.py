"""Tokens that come with an answer, for browsers: whoever may do the one thing, and no more.

Owns: what they permit, and for how long. Must never know: requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from headrace.engine.keyring import Keyring
from headrace.kernel.model import EnvId
from headrace.ports import Chance, Clock
from headrace.wire import tokens

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000


class Sign(Protocol):
    """Mints the public token by which a browser may reach a run, or complete a token, by its id."""

    def __call__(self, env: EnvId, id: str, skips: Sequence[str] | None = None, /) -> str:
        """Return it, empty where nothing can sign; `skips` are columns that it does not show."""
        ...


class Signer:
    """Signs with the newest root key of an environment."""

    def __init__(self, ring: Keyring, clock: Clock, chance: Chance) -> None:
        self._ring, self._clock, self._chance = ring, clock, chance

    def __call__(self, env: EnvId, id: str, skips: Sequence[str] | None = None, /) -> str:
        """Sign the token of a run, or of a waitpoint."""
        signing = self._ring.of(env)
        if not signing:
            return ""
        is_waitpoint = id.startswith("waitpoint_")
        return tokens.mint(
            signing[0],
            env,
            [f"write:waitpoints:{id}"]
            if is_waitpoint
            else [f"read:runs:{id}", f"write:inputStreams:{id}"],
            self._clock.now(),
            ttl_ms=DAY_MS if is_waitpoint else HOUR_MS,
            id=self._chance.unique(12).hex(),
            more=None if skips is None else {"realtime": {"skipColumns": list(skips)}},
        )
