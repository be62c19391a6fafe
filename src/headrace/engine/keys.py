"""The use cases about secret keys and public tokens, bound to one environment.

Owns: what may be asked of a key or a token, and what is shown of it.
Must never know: who may ask, or how a key is kept.
"""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from headrace.engine.bound import Bound
from headrace.engine.keyring import Keyring, place_of
from headrace.errors import BadRequest, Mistake, NotFound
from headrace.kernel.model import EnvId, later
from headrace.ports import Chance, Clock, Credential
from headrace.wire import durations, keys, tokens, vault
from headrace.wire.expiry import expires
from headrace.wire.keys import (
    KeyList,
    KeyMade,
    KeyOrder,
    KeyView,
    PublicTokenMade,
    PublicTokenOrder,
    Rotation,
    Standing,
)

NAME_AT_MOST: Final = 128
SCOPES_AT_MOST: Final = 200
SCOPE_AT_MOST: Final = 512
USES_AT_MOST: Final = 1_000_000
GRACE_AT_MOST_MS: Final = 90 * 86_400_000
GIVEN: Final = "given"
_GIVEN_HINT: Final = (
    "It is HEADRACE_SECRET_KEY, or the file `key` of the home folder: change it there."
)


class Keeper:
    """The `KeysApi` of one environment; it needs no engine beside it."""

    def __init__(self, ring: Keyring, clock: Clock, chance: Chance, env: EnvId) -> None:
        self._ring, self._clock, self._chance, self._env = ring, clock, chance, env

    async def create_key(self, order: KeyOrder) -> KeyMade:
        """Make a key of the environment."""
        _check(order)
        made, secret = self._made(order.name, order.scopes)
        await self._ring.store.add(made, self._clock.now())
        await self._ring.refresh()
        return KeyMade(key=self._shown(made), secret=secret)

    async def list_keys(self) -> KeyList:
        """List the environment's keys, newest first; those that were given come last."""
        kept = await self._ring.store.listing(self._env)
        given = [
            KeyView(id=GIVEN, env=self._env, kind="root", standing="active", hint=keys.hint_of(one))
            for one in self._ring.given.get(self._env, ())
        ]
        return KeyList(data=[*map(self._shown, kept), *given])

    async def revoke_key(self, key_id: str) -> KeyView:
        """End a key now, and every token that it has signed."""
        now = self._clock.now()
        if not await self._ring.store.end(self._env, key_id, now, now):
            found = await self._kept(key_id)
            if self._standing(found) != "ended":
                raise Mistake("the key has changed meanwhile", hint="Try again.")
        await self._ring.refresh()
        return self._shown(await self._kept(key_id))

    async def rotate_key(self, key_id: str, rotation: Rotation) -> KeyMade:
        """Make another key in its place; the one from before holds for the grace."""
        grace_ms = durations.duration_ms(rotation.grace)
        if grace_ms > GRACE_AT_MOST_MS:
            raise BadRequest("a grace is 90 days at the most")
        now = self._clock.now()
        old = await self._kept(key_id)
        made, secret = self._made(old.name, None if old.scopes is None else list(old.scopes))
        until = later(now, grace_ms)
        if not await self._ring.store.end(self._env, key_id, until, now, new=made):
            raise Mistake(
                f"the key {key_id} has ended", hint="Make a new one: headrace keys create."
            )
        await self._ring.refresh()
        return KeyMade(key=self._shown(made), secret=secret)

    async def public_token(self, order: PublicTokenOrder) -> PublicTokenMade:
        """Sign a public token with the newest root key."""
        _check_token(order)
        now = self._clock.now()
        ends = expires(order.expiration_time, now)
        signing = self._ring.of(self._env)
        if not signing:
            message = f"the environment {self._env!r} has no root key that could sign"
            raise Mistake(message, hint=f"Make one: headrace keys create --env {self._env}")
        token = tokens.mint(
            signing[0],
            self._env,
            order.scopes,
            now,
            ttl_ms=ends - now,
            id=self._chance.unique(12).hex(),
            single_use=order.one_time_use,
            more=_more(order),
        )
        if len(token) > tokens.LONGEST:
            raise BadRequest("so many scopes do not fit into a token")
        return PublicTokenMade(token=token)

    def _made(self, name: str, scopes: list[str] | None) -> tuple[Credential, str]:
        unique = self._chance.unique
        form = keys.root_key if scopes is None else keys.restricted_key
        secret, key_id = form(self._env, unique(keys.RANDOM_BYTES)), f"key_{unique(12).hex()}"
        sealed = b""
        if scopes is None:
            place = place_of(self._env, key_id)
            sealed = self._ring.vault.seal(secret, place, unique(vault.NONCE))
        return Credential(
            id=key_id,
            env=self._env,
            name=name,
            hint=keys.hint_of(secret),
            digest=keys.digest_of(secret),
            created=self._clock.now(),
            scopes=None if scopes is None else tuple(scopes),
            sealed=sealed,
        ), secret

    async def _kept(self, key_id: str) -> Credential:
        if key_id == GIVEN and self._ring.given.get(self._env):
            raise Mistake("this key is not kept by the server", hint=_GIVEN_HINT)
        for kept in await self._ring.store.listing(self._env):
            if kept.id == key_id:
                return kept
        raise NotFound(f"there is no key {key_id}")

    def _standing(self, kept: Credential) -> Standing:
        if kept.until is None:
            return "active"
        return "ended" if kept.until <= self._clock.now() else "ending"

    def _shown(self, kept: Credential) -> KeyView:
        return KeyView(
            id=kept.id,
            env=kept.env,
            kind="root" if kept.scopes is None else "restricted",
            standing=self._standing(kept),
            hint=kept.hint,
            name=kept.name,
            scopes=UNSET if kept.scopes is None else list(kept.scopes),
            created_at=durations.iso(kept.created),
            expires_at=UNSET if kept.until is None else durations.iso(kept.until),
        )


class EnvKeys(Bound):
    """The same as a part of an engine's `Api`."""

    @property
    def _keeper(self) -> Keeper:
        core = self._core
        return Keeper(core.keyring, core.stores.clock, core.chance, self._env)

    async def create_key(self, order: KeyOrder) -> KeyMade:
        """Make a key of the environment."""
        return await self._keeper.create_key(order)

    async def list_keys(self) -> KeyList:
        """List the environment's keys, newest first."""
        return await self._keeper.list_keys()

    async def revoke_key(self, key_id: str) -> KeyView:
        """End a key now, and every token that it has signed."""
        return await self._keeper.revoke_key(key_id)

    async def rotate_key(self, key_id: str, rotation: Rotation) -> KeyMade:
        """Make another key in its place; the one from before holds for the grace."""
        return await self._keeper.rotate_key(key_id, rotation)

    async def public_token(self, order: PublicTokenOrder) -> PublicTokenMade:
        """Sign a public token with the newest root key."""
        return await self._keeper.public_token(order)


def _check(order: KeyOrder) -> None:
    if len(order.name) > NAME_AT_MOST or not order.name.isprintable():
        message = f"the name of a key has at most {NAME_AT_MOST} printable characters"
        raise BadRequest(message)
    if order.scopes is not None:
        _check_scopes(order.scopes)


def _check_scopes(scopes: list[str]) -> None:
    if not 0 < len(scopes) <= SCOPES_AT_MOST:
        raise BadRequest("Invalid request body: there must be 1 to 200 scopes")
    if any(not 0 < len(scope) <= SCOPE_AT_MOST for scope in scopes):
        raise BadRequest("Invalid request body: a scope has 1 to 512 characters")


def _check_token(order: PublicTokenOrder) -> None:
    _check_scopes(order.scopes)
    if order.uses is not None and not 0 < order.uses <= USES_AT_MOST:
        message = f"Invalid request body: uses is 1 to {USES_AT_MOST}"
        raise BadRequest(message)
    if len(order.actor) > NAME_AT_MOST:
        message = f"Invalid request body: an actor has at most {NAME_AT_MOST} characters"
        raise BadRequest(message)


def _more(order: PublicTokenOrder) -> dict[str, object]:
    more: dict[str, object] = {}
    if order.uses is not None:
        more["uses"] = order.uses
    if order.actor:
        more["act"] = {"sub": order.actor}
    if order.realtime is not None:
        more["realtime"] = {"skipColumns": order.realtime.skip_columns}
    return more
