"""URLs that say by themselves what they permit: one method, one packet, for a while.

Owns: how they are signed and checked. Must never know: what lies behind them.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote, urlencode

from headrace.errors import Mistake, Unauthorized
from headrace.kernel.model import EnvId, Instant, later
from headrace.server.calls import Call, Caller

VALID_MS: Final = 3_600_000
PACKETS: Final = "/api/headrace/v1/packets/"
_PURPOSE: Final = b"headrace signed URL"
_LONGEST: Final = 15
"""Digits of a moment."""


class Signing(Protocol):
    """The secret keys of an environment, the newest first."""

    def of(self, env: EnvId) -> Sequence[str]:
        """Return the keys that may have signed a URL of `env`."""
        ...


@dataclass(frozen=True, slots=True)
class Signatures:
    """Signs with the newest key of an environment, and believes all of them."""

    keys: Signing

    def url(self, call: Call, method: str, key: str) -> str:
        """Return a URL on this server by which anybody may do that with the packet."""
        env, expires = call.env, later(call.now, VALID_MS)
        signing = self.keys.of(env)
        if not signing:
            message = f"the environment {env} has no root key that signs URLs"
            raise Mistake(message, hint=f"Make one: headrace keys create --env {env}")
        signature = _signature(signing[0], method, env, key, expires)
        query = urlencode({"env": env, "expires": expires, "signature": signature})
        return f"{_base(call)}{PACKETS}{quote(key, safe='')}?{query}"

    def check(self, call: Call, method: str, key: str) -> EnvId:
        """Return the environment of the URL, or raise `Unauthorized`."""
        query = call.query
        env, given = EnvId(query.get("env", "")), query.get("signature", "")
        expires = query.get("expires", "")
        if not (expires.isascii() and expires.isdecimal() and len(expires) <= _LONGEST):
            raise _refused()
        until = Instant(int(expires))
        for secret in self.keys.of(EnvId(env)):
            wanted = _signature(secret, method, env, key, until)
            if hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace")):
                if until <= call.now:
                    break
                return env
        raise _refused()


@dataclass(frozen=True, slots=True)
class Signed:
    """Whoever has a signed URL: no other credentials are asked for."""

    signatures: Signatures
    method: str
    open: bool = True
    words: str = "the signature in the URL"

    async def admit(self, call: Call) -> None:
        """Check the signature; nothing is read for this."""
        call.caller = Caller(self.signatures.check(call, self.method, call.params["key"]))


def _signature(secret: str, method: str, env: EnvId, key: str, until: Instant) -> str:
    signing = hmac.digest(secret.encode(), _PURPOSE, "sha256")
    text = f"{method}\n{env}\n{until}\n{key}"
    return hmac.digest(signing, text.encode(), "sha256").hex()


def _base(call: Call) -> str:
    """Return the address by which the caller has found the server."""
    forwarded = call.header("x-forwarded-proto") == "https"
    scheme = "https" if forwarded else call.scope.get("scheme", "http")
    return f"{scheme}://{call.header('host')}"


def _refused() -> Unauthorized:
    return Unauthorized(
        "the signature of the URL is missing or wrong, or it has expired",
        hint="ask the server for a new URL",
    )
