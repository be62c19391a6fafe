"""The use cases about tokens: values that anybody who holds the token may complete, once."""

from __future__ import annotations

from typing import Protocol

from headrace.wire.tokenviews import (
    StreamTokenCreated,
    StreamTokenOrder,
    TokenCreated,
    TokenOrder,
    TokenPage,
    TokenQuery,
    TokenView,
)


class TokensApi(Protocol):
    """Make, see and complete tokens."""

    async def create_token(self, order: TokenOrder, *, request_key: str = "") -> TokenCreated:
        """Make a token, or find the one that was made under the order's idempotency key."""
        ...

    async def token_of_stream(
        self, run_id: str, order: StreamTokenOrder, *, request_key: str = ""
    ) -> StreamTokenCreated:
        """Make a token that shows the next message of an input stream, without taking it.

        It is completed with the first record behind `last_seq_num`, if that is there before its
        time is over, and by nothing else. It has no address, and no run waits for it.
        """
        ...

    async def retrieve_token(self, token: str) -> TokenView:
        """Return the token, or raise `NotFound`."""
        ...

    async def list_tokens(self, query: TokenQuery) -> TokenPage:
        """List tokens, newest first."""
        ...

    async def complete_token(self, token: str, data: bytes) -> None:
        """Give a token its value (strict JSON text; empty: none), and wake whoever waits for it.

        Durable when it returns. One that is completed, or timed out, stays as it is; one of a
        stream is refused.
        """
        ...
