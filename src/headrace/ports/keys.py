"""Secret keys: how they are kept, whom they stand for, and what is done with them.

Must never know: how a secret is sealed, or who is asked for the master key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from headrace.kernel.model import EnvId, Instant
from headrace.wire.keys import (
    KeyList,
    KeyMade,
    KeyOrder,
    KeyView,
    PublicTokenMade,
    PublicTokenOrder,
    Rotation,
)
from headrace.wire.scopes import Permits


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret key as it is kept: by the hash that finds it.

    A root key (`scopes` is None) is kept sealed as well, since it signs and verifies tokens; of a
    restricted one nothing else is kept. From `until` on it opens nothing; None: it holds for good.
    """

    id: str
    env: EnvId
    name: str
    hint: str
    digest: bytes
    created: Instant
    until: Instant | None = None
    scopes: tuple[str, ...] | None = None
    sealed: bytes = b""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a public token that has a number of them. `name` tells a repeat of a request."""

    env: EnvId
    token: bytes
    name: bytes
    at: Instant
    until: Instant
    """When the token itself ends: then nobody has to know any more."""


class Counted(Enum):
    """What came of a use."""

    NEW = "one more"
    AGAIN = "the same as before"
    SPENT = "there is none left"


class Credentials(Protocol):
    """The secret keys of all environments, and the uses of public tokens. Keys are never removed.

    What is sealed is forgotten once its key has ended.
    """

    async def add(self, credential: Credential, now: Instant) -> None:
        """Keep a key."""
        ...

    async def end(
        self,
        env: EnvId,
        key_id: str,
        until: Instant,
        now: Instant,
        *,
        new: Credential | None = None,
    ) -> bool:
        """Let a key end at `until`, never later than it would, and keep `new` in its place.

        False, and nothing is done, if the environment has no such key or it has ended.
        """
        ...

    async def listing(self, env: EnvId) -> Sequence[Credential]:
        """List the environment's keys, newest first, those that have ended as well."""
        ...

    async def current(self, now: Instant) -> Sequence[Credential]:
        """List the keys of all environments that have not ended, newest first."""
        ...

    async def revision(self) -> int:
        """Return a number that grows with every change of keys."""
        ...

    async def use(self, use: Use, most: int, repeats_ms: int) -> Counted:
        """Count a use, if there are fewer than `most`.

        A use of the same name within `repeats_ms` is the same one; later it is none at all.
        """
        ...

    async def give_back(self, use: Use) -> None:
        """Take back a use that came to nothing, unless it was repeated."""
        ...


class KeysApi(Protocol):
    """Make and end secret keys; sign public tokens."""

    async def create_key(self, order: KeyOrder) -> KeyMade:
        """Make a key of the environment."""
        ...

    async def list_keys(self) -> KeyList:
        """List the environment's keys, newest first."""
        ...

    async def revoke_key(self, key_id: str) -> KeyView:
        """End a key now, and every token that it has signed."""
        ...

    async def rotate_key(self, key_id: str, rotation: Rotation) -> KeyMade:
        """Make another key in its place; the one from before holds for the grace."""
        ...

    async def public_token(self, order: PublicTokenOrder) -> PublicTokenMade:
        """Sign a public token with the newest root key."""
        ...


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a secret key stands for: all of an environment, or what it `permits`."""

    env: EnvId
    digest: bytes
    permits: Permits | None = None


class Keys(Protocol):
    """The secret keys that hold now, in memory: nobody waits for an answer."""

    def find(self, secret: str) -> Holder | None:
        """Return whom `secret` stands for."""
        ...

    def of(self, env: EnvId) -> Sequence[str]:
        """Return the root keys that may have signed a token of `env`, newest first."""
        ...
