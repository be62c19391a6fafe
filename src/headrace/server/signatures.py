"""URLs that say by themselves what they permit: one way to one packet, for a while.

Owns: how they are signed and checked. Must never know: what lies behind them.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote, urlencode

from headrace.errors import Mistake, Unauthorized
from headrace.kernel.model import EnvId, Instant, later
from headrace.server.calls import Call, Caller

VALID_MS: Final = 3_600_000
_PURPOSE: Final = b"headrace signed URL"
_LONGEST: Final = 15
"""Digits of a moment."""


class Signing(Protocol):
    """The secret keys of an environment, the newest first."""

    def of(self, env: EnvId) -> Sequence[str]:
        """Return the keys that may have signed a URL of `env`."""
        ...


@dataclass(frozen=True, slots=True)
class Way:
    """What such a URL is good for, where it points, and which of its parts say what is meant."""

    method: str
    path: str
    names: tuple[str, ...]

    def key(self, params: Mapping[str, str]) -> str:
        """Return what is signed for."""
        return "/".join(params[name] for name in self.names)

    def filled(self, params: Mapping[str, str]) -> str:
        """Return the path."""
        path = self.path
        for name in self.names:
            path = path.replace(f"{{{name}}}", quote(params[name], safe=""))
        return path


@dataclass(frozen=True, slots=True)
class Signatures:
    """Signs with the newest key of an environment, and believes all of them."""

    keys: Signing

    def url(self, call: Call, way: Way, params: Mapping[str, str]) -> str:
        """Return a URL on this server by which anybody may do that with the packet."""
        env, expires = call.env, later(call.now, VALID_MS)
        signing = self.keys.of(env)
        if not signing:
            message = f"the environment {env} has no root key that signs URLs"
            raise Mistake(message, hint=f"Make one: headrace keys create --env {env}")
        signature = _signature(signing[0], way.method, env, way.key(params), expires)
        query = urlencode({"env": env, "expires": expires, "signature": signature})
        return f"{call.origin}{way.filled(params)}?{query}"

    def check(self, call: Call, way: Way) -> EnvId:
        """Return the environment of the URL, or raise `Unauthorized`."""
        query, key = call.query, way.key(call.params)
        env, given = EnvId(query.get("env", "")), query.get("signature", "")
        expires = query.get("expires", "")
        if not (expires.isascii() and expires.isdecimal() and len(expires) <= _LONGEST):
            raise _refused()
        until = Instant(int(expires))
        for secret in self.keys.of(EnvId(env)):
            wanted = _signature(secret, way.method, env, key, until)
            if hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace")):
                if until <= call.now:
                    break
                return env
        raise _refused()


@dataclass(frozen=True, slots=True)
class Signed:
    """Whoever has a signed URL: no other credentials are asked for."""

    signatures: Signatures
    way: Way
    open: bool = True
    words: str = "the signature in the URL"

    async def admit(self, call: Call) -> None:
        """Check the signature; nothing is read for this."""
        call.caller = Caller(self.signatures.check(call, self.way))


def _signature(secret: str, method: str, env: EnvId, key: str, until: Instant) -> str:
    signing = hmac.digest(secret.encode(), _PURPOSE, "sha256")
    text = f"{method}\n{env}\n{until}\n{key}"
    return hmac.digest(signing, text.encode(), "sha256").hex()


def _refused() -> Unauthorized:
    return Unauthorized(
        "the signature of the URL is missing or wrong, or it has expired",
        hint="ask the server for a new URL",
    )
