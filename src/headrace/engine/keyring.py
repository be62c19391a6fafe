"""The secret keys that hold now, in memory: what the store keeps, and what the surroundings gave.

Owns: which keys hold, opening what is sealed, noticing changes made elsewhere.
Must never know: requests, or how a key is sealed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from headrace.errors import Mistake
from headrace.kernel.model import EnvId, Instant
from headrace.ports import Clock, Credential, Credentials, Holder
from headrace.wire.keys import digest_of
from headrace.wire.scopes import Permits, parse_scope
from headrace.wire.vault import Vault

POLL_S: Final = 0.5
"""How late a change made by another process is noticed, at the most."""
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.engine")


@dataclass(frozen=True, slots=True)
class _Known:
    """A key that holds until its instant. `secret` only of those that sign."""

    holder: Holder
    secret: str
    until: Instant | None = None


class Keyring:
    """Keys by their hashes. Those that were `given` hold as long as the process does."""

    def __init__(
        self,
        credentials: Credentials,
        vault: Vault,
        clock: Clock,
        given: Mapping[EnvId, Sequence[str]] | None = None,
    ) -> None:
        self.store, self.vault, self._clock = credentials, vault, clock
        self.given = {env: tuple(keys) for env, keys in (given or {}).items()}
        self._revision = -1
        self._known: dict[bytes, _Known] = {}
        self._roots: dict[EnvId, tuple[_Known, ...]] = {}
        self._unreadable: set[str] = set()
        self._take(())

    def __repr__(self) -> str:
        return f"Keyring({len(self._known)} keys)"

    def find(self, secret: str) -> Holder | None:
        """Return whom `secret` stands for."""
        # Found by its hash: how long that takes tells nothing about any key.
        known = self._known.get(digest_of(secret))
        return known.holder if known is not None and self._holds(known) else None

    def of(self, env: EnvId) -> Sequence[str]:
        """Return the root keys that may have signed a token of `env`, newest first."""
        return [known.secret for known in self._roots.get(env, ()) if self._holds(known)]

    def _holds(self, known: _Known) -> bool:
        return known.until is None or known.until > self._clock.now()

    async def refresh(self) -> None:
        """Take over what has changed in the store."""
        # In this order: what changes between the two is seen as a change again.
        revision = await self.store.revision()
        if revision != self._revision:
            self._take(await self.store.current(self._clock.now()))
            self._revision = revision

    async def watch(self) -> None:
        """Take over what other processes change, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(POLL_S)

    def _take(self, kept: Sequence[Credential]) -> None:
        known, roots = dict[bytes, _Known](), dict[EnvId, list[_Known]]()
        for one in (*self._given(), *map(self._opened, kept)):
            if one is not None and one.holder.digest not in known:
                known[one.holder.digest] = one
                if one.secret:
                    roots.setdefault(one.holder.env, []).append(one)
        self._known = known
        self._roots = {env: tuple(ones) for env, ones in roots.items()}

    def _given(self) -> list[_Known]:
        return [
            _Known(Holder(env, digest_of(secret)), secret)
            for env, secrets in self.given.items()
            for secret in secrets
        ]

    def _opened(self, kept: Credential) -> _Known | None:
        """Return the key, or nothing of one whose seal is another master key's."""
        if kept.scopes is not None:
            scopes = tuple(map(parse_scope, kept.scopes))
            permits = Permits(kept.env, scopes)
            return _Known(Holder(kept.env, kept.digest, permits), "", kept.until)
        try:
            secret = self.vault.open(kept.sealed, place_of(kept.env, kept.id))
        except Mistake as error:
            if kept.id not in self._unreadable:
                self._unreadable.add(kept.id)
                _log.error("a key holds no more", key=kept.id, why=error.message, hint=error.hint)
            return None
        return _Known(Holder(kept.env, kept.digest), secret, kept.until)


def place_of(env: EnvId, key_id: str) -> str:
    """Return what a seal is bound to."""
    return f"{env}/{key_id}"
