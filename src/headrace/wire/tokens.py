"""Public tokens: HS256 JWTs that the holder of a secret key signs, and what they permit.

Owns: the claims, verification and its memory.
Must never know: where keys are kept, or any route. No error ever shows a key or a token.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from binascii import a2b_base64
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Literal

import jwt
import msgspec
from msgspec import Meta, Struct

from headrace.errors import BadRequest, Unauthorized
from headrace.kernel.model import EnvId, Instant
from headrace.wire import jsontext
from headrace.wire.scopes import Permits, Scope, parse_scope

__all__ = [
    "AUDIENCE",
    "ISSUER",
    "LONGEST",
    "PublicToken",
    "Scope",
    "Verifier",
    "mint",
    "parse_scope",
]

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
class PublicToken(Permits):
    """What a verified token says. `digest` tells it from others; `uses` 0 is any number."""

    expires: Instant
    digest: bytes
    single_use: bool = False
    actor: str = ""
    skip_columns: tuple[str, ...] | None = None
    """Columns that its holder does not see in feeds of runs; `None`: the holder says."""
    uses: int = 0


class _Header(Struct, frozen=True, forbid_unknown_fields=True):
    """All that a header may say; a name of a key, or where to find one, is nobody's to choose."""

    alg: Literal["HS256"]
    typ: Literal["JWT"] = "JWT"


class _Subject(Struct):
    sub: str


class _Actor(Struct):
    sub: str = ""


class _Realtime(Struct, rename="camel"):
    skip_columns: tuple[str, ...] | None = None


class _Claims(Struct):
    iss: str
    aud: str | list[str]
    sub: str
    pub: bool
    exp: float
    nbf: float = 0
    scopes: msgspec.Raw = msgspec.Raw()
    otu: bool = False
    uses: Annotated[int, Meta(ge=0)] = 0
    act: _Actor | None = None
    realtime: _Realtime | None = None


_header = msgspec.json.Decoder(_Header).decode
_subject = msgspec.json.Decoder(_Subject).decode
_claims = msgspec.json.Decoder(_Claims).decode
_texts = msgspec.json.Decoder(list[str]).decode


def mint(
    key: str,
    env: EnvId,
    scopes: Sequence[str],
    now: Instant,
    *,
    ttl_ms: int = 3_600_000,
    id: str = "",
    single_use: bool = False,
    more: Mapping[str, object] | None = None,
) -> str:
    """Sign a token that permits `scopes` from `now` on; `id` tells it from its like.

    `more` are further claims: `uses`, `act`, `realtime`.
    """
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
    if more:
        claims |= more
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
        key, found = self._verified(token, name, now)
        self._known[name] = key, found
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found

    def _verified(self, token: str, name: bytes, now: Instant) -> tuple[str, PublicToken]:
        if len(token) > LONGEST or not _is_plain(token):
            raise _invalid()
        env = _env_of(token)
        for key in self._keys(env):
            try:
                payload: bytes = _open(token, _padded(key), algorithms=["HS256"])
            except jwt.PyJWTError:
                continue
            if not _is_exact(token, key):
                break
            return key, _current(_read(payload, name, now), now)
        raise _invalid()


def _is_exact(token: str, key: str) -> bool:
    """Tell whether the signature is spelled as it must be.

    A token of several spellings could be used once more in each.
    """
    signed, _, signature = token.rpartition(".")
    made = _base64url(hmac.digest(_padded(key), signed.encode(), "sha256"))
    return hmac.compare_digest(made, signature.encode("utf-8", "replace"))


def _is_plain(token: str) -> bool:
    """Tell whether the header says what it must, and nothing else."""
    try:
        head = a2b_base64(token.partition(".")[0].replace("-", "+").replace("_", "/") + "==")
        _header(jsontext.check(head))
    except (ValueError, msgspec.MsgspecError, BadRequest):
        return False
    return True


def _env_of(token: str) -> EnvId:
    """Return whose key must have signed the token. It is not believed before that."""
    try:
        _, body, _ = token.split(".")
        raw = a2b_base64(body.replace("-", "+").replace("_", "/") + "==")
        return EnvId(_subject(raw).sub)
    except (ValueError, msgspec.MsgspecError):
        raise _invalid() from None


def _read(payload: bytes, name: bytes, now: Instant) -> PublicToken:
    try:
        claims = _claims(jsontext.check(payload))
    except (msgspec.MsgspecError, BadRequest):
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
        digest=name,
        single_use=claims.otu,
        uses=claims.uses,
        actor=claims.act.sub if claims.act else "",
        skip_columns=claims.realtime.skip_columns if claims.realtime else None,
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
