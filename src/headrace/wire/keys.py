"""Secret keys and the making of public tokens, as they go over HTTP and through every `Api`.

Owns: the shapes, and the form of secret keys. Must never know: how a key is kept.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final, Literal, TypeAlias

from msgspec import UNSET, UnsetType

from headrace.errors import BadRequest
from headrace.kernel.model import EnvId
from headrace.wire.views import Wire

Kind: TypeAlias = Literal["root", "restricted"]
Standing: TypeAlias = Literal["active", "ending", "ended"]
_ENV: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_FORM: Final = re.compile(r"tr_([a-z][a-z0-9-]{0,31})_(sk_)?[!-~]+")
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_BYTES: Final = 24
RESTRICTED: Final = 24
"""Letters behind the form of a restricted key: the official clients know it by them."""
_SHOWN: Final = 4


class KeyOrder(Wire, frozen=True, kw_only=True):
    """What key to make. Without `scopes` it is a root key, which may do everything."""

    name: str = ""
    scopes: list[str] | None = None


class KeyView(Wire, frozen=True, kw_only=True):
    """A secret key, as it is shown: never the key itself. `hint` is its beginning and its end."""

    id: str
    env: str
    kind: Kind
    standing: Standing
    hint: str
    name: str = ""
    scopes: list[str] | UnsetType = UNSET
    created_at: str | UnsetType = UNSET
    expires_at: str | UnsetType = UNSET


class KeyMade(Wire, frozen=True, kw_only=True):
    """A new key. `secret` is shown this once."""

    key: KeyView
    secret: str


class KeyList(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """The keys of an environment, newest first."""

    data: list[KeyView]


class Rotation(Wire, frozen=True, kw_only=True):
    """How long the key from before still opens and signs: a duration."""

    grace: str | int | float = "24h"


class Realtime(Wire, frozen=True, kw_only=True):
    """What a subscription with this token leaves out."""

    skip_columns: tuple[str, ...] = ()


class PublicTokenOrder(Wire, frozen=True, kw_only=True):
    """What public token to sign. `uses` counts what it starts and sends, not what it reads."""

    scopes: list[str]
    expiration_time: str | int | float | None = None
    one_time_use: bool = False
    realtime: Realtime | None = None
    uses: int | None = None
    actor: str = ""


class PublicTokenMade(Wire, frozen=True, kw_only=True):
    """A public token."""

    token: str


def environment(name: str) -> EnvId:
    """Return the environment of this name, if it can be one."""
    if not _ENV.fullmatch(name):
        raise BadRequest(
            f"{name[:40]!r} cannot be the name of an environment",
            hint="It begins with a small letter; small letters, digits and - follow, 32 at most.",
        )
    return EnvId(name)


def env_of(secret: str, usual: EnvId) -> EnvId:
    """Return the environment that a secret key names; one of another form is of the usual one."""
    found = _FORM.fullmatch(secret)
    return EnvId(found[1]) if found else usual


def is_restricted(secret: str) -> bool:
    """Tell whether it has the form of a restricted key."""
    found = _FORM.fullmatch(secret)
    return found is not None and found[2] is not None


def root_key(env: EnvId, raw: bytes) -> str:
    """Return a root key; never one of the form of a restricted key."""
    return f"tr_{env}_{raw.hex()}"


def restricted_key(env: EnvId, raw: bytes) -> str:
    """Return a restricted key."""
    number, letters = int.from_bytes(raw), list[str]()
    for _ in range(RESTRICTED):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return f"tr_{env}_sk_{''.join(letters)}"


def digest_of(secret: str) -> bytes:
    """Return what a secret is found by. It is random and long: no slow hash is needed."""
    return sha256(secret.encode("utf-8", "replace")).digest()


def hint_of(secret: str) -> str:
    """Return as much of a secret as tells it from others."""
    found = _FORM.fullmatch(secret)
    form = f"tr_{found[1]}_{found[2] or ''}" if found else ""
    return f"{form}…{secret[-_SHOWN:]}" if len(secret) - len(form) > 3 * _SHOWN else f"{form}…"
