"""What is asked about tokens: made, seen, completed.

Owns: the answers' form. Must never know: HTTP.
"""

from __future__ import annotations

from msgspec import UNSET

from headrace.engine.bound import Bound
from headrace.engine.paging import beside, page_of
from headrace.engine.signing import Sign
from headrace.engine.streamtokens import awaited, found, stood
from headrace.engine.tokens import (
    complete,
    filter_of,
    known_token,
    new_token,
    retried,
    show_token,
)
from headrace.kernel.model import Instant
from headrace.ports import Waitpoint
from headrace.wire.tokenviews import (
    StreamTokenCreated,
    StreamTokenOrder,
    TokenCreated,
    TokenOrder,
    TokenPage,
    TokenQuery,
    TokenView,
)


class Tokening(Bound):
    """The use cases about tokens, bound to one environment. Whoever inherits it can sign."""

    _sign: Sign

    async def create_token(self, order: TokenOrder, *, request_key: str = "") -> TokenCreated:
        """Make a token, or find the one that was made under the order's idempotency key."""
        core = self._core
        token = new_token(core, self._env, order)
        issued = await core.stores.waitpoints.create(token, retried(core, request_key))
        made = issued.waitpoint
        return TokenCreated(
            id=made.id,
            is_cached=issued.cached,
            url=core.callbacks.path(made),
            public_token=self._sign(self._env, made.id) or UNSET,
        )

    async def token_of_stream(
        self, run_id: str, order: StreamTokenOrder, *, request_key: str = ""
    ) -> StreamTokenCreated:
        """Make a token that shows the next message of an input stream, without taking it."""
        core = self._core
        token = new_token(core, self._env, order, await awaited(core, self._env, run_id, order))
        issued = await core.stores.waitpoints.create(token, retried(core, request_key))
        return StreamTokenCreated(waitpoint_id=issued.waitpoint.id, is_cached=issued.cached)

    async def retrieve_token(self, token: str) -> TokenView:
        """Return the token, or raise `NotFound`."""
        core = self._core
        now = core.now()  # before it is read: what is seen to be late must have come too late
        known = await known_token(core, self._env, token)
        return self._shown(await stood(core, known, now), now, whole=True)

    async def list_tokens(self, query: TokenQuery) -> TokenPage:
        """List tokens, newest first."""
        asked = filter_of(self._env, query, self._core.now())
        listed = await found(self._core, asked)
        page = page_of(query, listed)
        data = [self._shown(token, asked.now, whole=False) for token in page]
        return TokenPage(data=data, pagination=beside(query, listed, [one.id for one in page]))

    async def complete_token(self, token: str, data: bytes) -> None:
        """Give a token its value, and wake whoever waits for it; the first value stays."""
        await complete(self._core, await known_token(self._core, self._env, token), data)

    def _shown(self, token: Waitpoint, now: Instant, *, whole: bool) -> TokenView:
        return show_token(token, self._core.callbacks.path(token), now, whole=whole)
