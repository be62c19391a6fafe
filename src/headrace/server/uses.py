"""Public tokens with a number of uses: what they start and send is counted in the store.

Owns: what is one use, and what is a repeat of it. Must never know: any handler's business.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from headrace.errors import HeadraceError, Mistake
from headrace.ports import Chance, Clock, Counted, Credentials, Use
from headrace.server.calls import Call, Reply
from headrace.server.routes import Route
from headrace.wire import http
from headrace.wire.tokens import PublicToken

REPEATS_MS: Final = 3_600_000
"""So long is a request with the same keys a repeat: clients try again for minutes."""
_NAME: Final = 16
READS: Final = frozenset({"GET", "HEAD"})


class Turnstile:
    """Lets a token through as often as it says."""

    def __init__(self, credentials: Credentials, clock: Clock, chance: Chance) -> None:
        self._credentials, self._clock, self._chance = credentials, clock, chance

    async def through(self, route: Route, call: Call, token: PublicToken) -> Reply:
        """Count a use, unless the request only reads, and answer; what is refused was none."""
        if route.method in READS:
            return await route.handler(call)
        name, now = self._name(route, call), self._clock.now()
        use = Use(token.env, token.digest, name, now, token.expires)
        counted = await self._credentials.use(use, token.uses, REPEATS_MS)
        if counted is Counted.SPENT:
            raise Mistake(
                f"Cannot use this token: its number of uses, {token.uses}, is used up",
                hint="ask the backend for a new one",
            )
        try:
            return await route.handler(call)
        except HeadraceError as error:
            if counted is Counted.NEW and isinstance(error, Mistake):
                await self._credentials.give_back(use)
            raise

    def _name(self, route: Route, call: Call) -> bytes:
        request_key = call.header(http.REQUEST_KEY)
        if not route.repeats or not request_key:
            return self._chance.unique(_NAME)
        # With both keys the same, and the same place, it does nothing but answer again.
        parts = (route.name, *call.params.values(), call.header(http.IDEMPOTENCY_KEY), request_key)
        name = blake2b(digest_size=_NAME)
        for part in parts:
            raw = part.encode("utf-8", "replace")
            name.update(len(raw).to_bytes(8) + raw)
        return name.digest()
