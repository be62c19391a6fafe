"""A way to Postgres on which every statement is noted, by what is on the wire.

Must never know: who sends them, and what they are about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Final

from tests.services.proxy import Proxy

UNTYPED: Final = b"?"
"""Stands before the first message of a connection, the only one without a letter."""
HEAD: Final = 5


class Statements(Proxy):
    """Notes the text of each, whichever connection it comes by. Clients must not ask for TLS."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.texts: list[str] = []
        self._begun = defaultdict[object, bytearray](lambda: bytearray(UNTYPED))
        self._prepared: dict[tuple[object, bytes], str] = {}
        self._messages: dict[bytes, Callable[[object, bytes], None]] = {
            b"P": self._parse,
            b"B": self._bind,
            b"Q": self._query,
        }

    def seen(self, link: object, some: bytes) -> None:
        """Note what is whole by now."""
        begun = self._begun[link]
        begun += some
        while len(begun) >= HEAD and len(begun) > (size := int.from_bytes(begun[1:HEAD], "big")):
            if note := self._messages.get(bytes(begun[:1])):
                note(link, bytes(begun[HEAD : size + 1]))
            del begun[: size + 1]

    def _parse(self, link: object, body: bytes) -> None:
        name, text = body.split(b"\0")[:2]
        self._prepared[link, name] = text.decode()

    def _bind(self, link: object, body: bytes) -> None:
        """Note a prepared statement when it gets its values: it is executed at once."""
        self.texts.append(self._prepared[link, body.split(b"\0")[1]])

    def _query(self, _link: object, body: bytes) -> None:
        self.texts.append(body.rstrip(b"\0").decode())
