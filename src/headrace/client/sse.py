"""Server-sent events out of a byte stream, however its chunks are cut.

Owns: the framing of `text/event-stream`. Must never know: HTTP, or what an event says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `id` is the last one that the stream has named."""

    name: str
    data: bytes
    id: str = ""


class Parser:
    """Feed it what arrives; it yields each event once its closing blank line is there."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._name = ""
        self._id = ""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that `chunk` completes."""
        self._rest += chunk
        if b"\n" not in chunk:
            return
        *lines, rest = self._rest.split(b"\n")
        self._rest = rest
        for line in lines:
            event = self._line(bytes(line.removesuffix(b"\r")))
            if event is not None:
                yield event

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._flush()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"event":
                self._name = value.decode()
            case b"data":
                self._data.append(value)
            case b"id":
                self._id = value.decode()
            case _:
                pass  # a comment (an empty name), or a field that later versions may add
        return None

    def _flush(self) -> Event | None:
        name, data = self._name or "message", self._data
        self._name, self._data = "", []
        return Event(name, b"\n".join(data), self._id) if data else None
