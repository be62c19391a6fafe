"""A server that is about to leave: whoever asks it is answered, and sent elsewhere.

Owns: what callers notice of it. Must never know: why it leaves, or when.

Rule: a connection that is kept alive would be cut between two requests; so each answer ends its
own, from the moment on that the server knows.
"""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CLOSE: Final = (b"connection", b"close")


class Leaving:
    """An app, and whether it goes on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.is_leaving = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app does."""
        if not self.is_leaving or scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def last(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _CLOSE]
            await send(message)

        return await self._app(scope, receive, last)
