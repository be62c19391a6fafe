"""Public tokens: HS256 JWTs that the holder of a secret key signs, and what they permit.

Owns: the claims, the scope grammar, verification and its memory.
Must never know: where keys are kept, or any route. No error ever shows a key or a token.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from binascii import a2b_base64
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import jwt
import msgspec
from msgspec import Struct

from headrace.errors import Unauthorized
from headrace.kernel.model import EnvId, Instant

ISSUER = "https://id.trigger.dev"
AUDIENCE = "https://api.trigger.dev"
"""Constants of the official clients, which sign tokens themselves."""
LONGEST = 4_096
_REMEMBERED = 10_000
_KEY_BYTES = 32
_HEAD = b"eyJhbGciOiJIUzI1NiJ9"  # {"alg":"HS256"}, as the official clients write it
_jws = jwt.PyJWS(algorithms=["HS256"])
# Their `key` may be of types of a package that is not installed here.
_open = _jws.decode  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


@dataclass(frozen=True, slots=True)
class Scope:
    """`action[:kind[:id]]`; an id may hold colons."""

    action: str
    kind: str | None = None
    id: str | None = None

    def grants(self, action: str, kind: str, id: str | None) -> bool:
        """Tell whether the scope permits `action` on the resource, or (None) on all of a kind."""
        if self.action == "admin" and self.kind is None:
            return True
        if self.action not in {action, "*"} or not self.action:
            return False
        return self.kind == "all" or (self.kind == kind and self.id in {None, id})


@dataclass(frozen=True, slots=True)
class PublicToken:
    """What a verified token says. `digest` is the SHA-256 of its text."""

    env: EnvId
    scopes: tuple[Scope, ...]
    expires: Instant
    single_use: bool = False
    actor: str = ""
    digest: bytes = b""

    def grants(self, action: str, resources: Iterable[tuple[str, str | None]]) -> bool:
        """Tell whether any scope permits `action` on any of the resources, (kind, id) each."""
        return any(
            scope.grants(action, kind, name) for kind, name in resources for scope in self.scopes
        )

    def names(self, action: str, kind: str, id: str) -> bool:
        """Tell whether a scope permits `action` on this one by its name, not as one of many."""
        return any(
            scope.id == id and scope.grants(action, kind, id) and scope.kind == kind
            for scope in self.scopes
        )


class _Subject(Struct):
    sub: str


class _Actor(Struct):
    sub: str = ""


class _Claims(Struct):
    iss: str
    aud: str | list[str]
    sub: str
    pub: bool
    exp: float
    nbf: float = 0
    scopes: msgspec.Raw = msgspec.Raw()
    otu: bool = False
    act: _Actor | None = None


_subject = msgspec.json.Decoder(_Subject).decode
_claims = msgspec.json.Decoder(_Claims).decode
_texts = msgspec.json.Decoder(list[str]).decode


def parse_scope(text: str) -> Scope:
    """Read a scope; text that means nothing grants nothing."""
    action, *rest = text.split(":", 2)
    return Scope(action, *rest)


def mint(
    key: str,
    env: EnvId,
    scopes: Sequence[str],
    now: Instant,
    *,
    ttl_ms: int = 3_600_000,
    id: str = "",
    single_use: bool = False,
) -> str:
    """Sign a token that permits `scopes` from `now` on; `id` tells it from its like."""
    claims: dict[str, object] = {
        "sub": env,
        "pub": True,
        "scopes": list(scopes),
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now // 1_000,
        "exp": (now + ttl_ms) // 1_000,
    }
    if id:
        claims["jti"] = id
    if single_use:
        claims["otu"] = True
    # By hand, for each trigger's answer holds one: a library takes ten times as long for it.
    signed = _HEAD + b"." + _base64url(msgspec.json.encode(claims))
    signature = _base64url(hmac.digest(_padded(key), signed, "sha256"))
    return f"{signed.decode()}.{signature.decode()}"


class Verifier:
    """Verifies tokens, and remembers the verified ones until they expire or lose their key."""

    def __init__(self, keys: Callable[[EnvId], Sequence[str]]) -> None:
        self._keys = keys
        self._known: OrderedDict[bytes, tuple[str, PublicToken]] = OrderedDict()

    def verify(self, token: str, now: Instant) -> PublicToken:
        """Return what the token says, or raise `Unauthorized`."""
        name = sha256(token.encode("utf-8", "replace")).digest()
        if (known := self._known.get(name)) is not None:
            key, found = known
            if key in self._keys(found.env):
                return _current(found, now)
            del self._known[name]
        key, read = self._verified(token, now)
        found = replace(read, digest=name)
        self._known[name] = key, found
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found

    def _verified(self, token: str, now: Instant) -> tuple[str, PublicToken]:
        if len(token) > LONGEST:
            raise _invalid()
        env = _env_of(token)
        for key in self._keys(env):
            try:
                payload: bytes = _open(token, _padded(key), algorithms=["HS256"])
            except jwt.PyJWTError:
                continue
            return key, _current(_read(payload, now), now)
        raise _invalid()


def _env_of(token: str) -> EnvId:
    """Return whose key must have signed the token. It is not believed before that."""
    try:
        _, body, _ = token.split(".")
        raw = a2b_base64(body.replace("-", "+").replace("_", "/") + "==")
        return EnvId(_subject(raw).sub)
    except (ValueError, msgspec.MsgspecError):
        raise _invalid() from None


def _read(payload: bytes, now: Instant) -> PublicToken:
    try:
        claims = _claims(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise _invalid() from None
    audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    if claims.iss != ISSUER or AUDIENCE not in audience or not claims.pub:
        raise _invalid()
    if claims.nbf * 1_000 > now:
        raise _invalid()
    return PublicToken(
        env=EnvId(claims.sub),
        scopes=_scopes(claims.scopes),
        expires=Instant(int(min(claims.exp, 1e12) * 1_000)),
        single_use=claims.otu,
        actor=claims.act.sub if claims.act else "",
    )


def _scopes(claim: msgspec.Raw) -> tuple[Scope, ...]:
    """Read the scopes; a claim that is no list of texts permits nothing."""
    try:
        return tuple(parse_scope(text) for text in _texts(claim))
    except msgspec.MsgspecError:
        return ()


def _current(token: PublicToken, now: Instant) -> PublicToken:
    if token.expires <= now:
        raise Unauthorized("Public Access Token has expired", hint="ask the backend for a new one")
    return token


def _base64url(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _padded(key: str) -> bytes:
    # HMAC itself fills short keys up with zeros: the signature is the same, without a warning.
    return key.encode().ljust(_KEY_BYTES, b"\0")


def _invalid() -> Unauthorized:
    return Unauthorized("Public Access Token is invalid")
