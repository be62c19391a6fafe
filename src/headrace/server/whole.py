"""The way out of one answer, whose head does not go without its body.

Owns: what is written together. A server that is killed between two writes leaves half an answer,
which the official clients take for a malformed one and do not ask for again.
Must never know: what is answered.
"""

from __future__ import annotations

import asyncio
from typing import Final

_CONTINUE: Final = b"HTTP/1.1 100 "
_SIZED: Final = b"\r\ncontent-length: "


class Whole:
    """A transport for one answer to a request that is no HEAD."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._head, self._has_begun = transport, b"", False

    def write(self, data: bytes) -> None:
        """Write, but keep the head of an answer of known length for what follows at once."""
        if self._head:
            data, self._head = self._head + data, b""
        elif not self._has_begun and not data.startswith(_CONTINUE):
            self._has_begun = True
            if _SIZED in data:
                self._head = data
                return
        self._transport.write(data)

    def is_closing(self) -> bool:
        """Tell whether nothing more can be written."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close once all is written."""
        if self._head:
            self.write(b"")
        self._transport.close()
