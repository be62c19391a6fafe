"""One request over a connection of its own, and all that is heard of its answer.

Owns: how long anything is waited for, and where listening to an answer that goes on is left off.
Must never know: what an answer should be.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Final, Literal

from headrace.server.openapi import EVENTS

PATIENCE_S: Final = 5.0
"""What has not answered by then does not answer."""
HELD_S: Final = 0.15
"""So long is an answer waited for that may be held."""
QUIET_S: Final = 0.03
"""A stream of events that is quiet for so long is left."""
LISTEN_S: Final = 0.5
"""So long is one listened to at the most."""
_CHUNK: Final = 65_536

End = Literal["whole", "held", "broken", "silent"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as it goes out. `may_hold` says that its answer may be held."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    may_hold: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer: `elapsed_s` until its head, and until its end where it has one."""

    end: End
    elapsed_s: float
    status: int = 0
    headers: Mapping[str, list[str]] = field(default_factory=dict[str, list[str]])
    body: bytes = b""
    why: str = ""

    def header(self, name: str) -> str:
        """Return what a header says first, empty where there is none."""
        return next(iter(self.headers.get(name, [])), "")


class Wire:
    """A connection that is kept as long as the server keeps it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: HTTPConnection | None = None

    def ask(self, asked: Asked) -> Heard:
        """Ask, and listen."""
        begun = time.monotonic()
        is_used = self._open is not None
        heard = self._tried(asked, begun)
        if heard.end == "broken" and not heard.status and is_used:
            # The server may have closed a connection that was idle.
            begun = time.monotonic()
            heard = self._tried(asked, begun)
        return heard

    def close(self) -> None:
        """Leave."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _tried(self, asked: Asked, begun: float) -> Heard:
        connection = self._open = self._open or HTTPConnection("127.0.0.1", self._port)
        connection.timeout = PATIENCE_S
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # the answer may be there already
                connection.request(asked.method, asked.target, asked.body, dict(asked.headers))
            line: socket.socket | None = connection.sock
            if line is None:
                raise ConnectionResetError("closed before the request was sent")
            line.settimeout(HELD_S if asked.may_hold else PATIENCE_S)
            response = connection.getresponse()
        except TimeoutError:
            self.close()
            return Heard("held" if asked.may_hold else "silent", time.monotonic() - begun)
        except (OSError, HTTPException) as error:
            self.close()
            return Heard("broken", time.monotonic() - begun, why=repr(error))
        return self._rest(response, line, begun)

    def _rest(self, response: HTTPResponse, line: socket.socket, begun: float) -> Heard:
        headers = dict[str, list[str]]()
        for name, value in response.getheaders():
            headers.setdefault(name.lower(), []).append(value)
        goes_on = response.headers.get_content_type() == EVENTS
        elapsed = time.monotonic() - begun
        body, end = _listened(response, line) if goes_on else _read(response)
        if end != "whole" or response.will_close:
            self.close()
        if not goes_on:
            elapsed = time.monotonic() - begun
        return Heard(end, elapsed, response.status, headers, body)


def _listened(response: HTTPResponse, line: socket.socket) -> tuple[bytes, End]:
    until, found = time.monotonic() + LISTEN_S, bytearray()
    try:
        while time.monotonic() < until:
            line.settimeout(QUIET_S)
            part = response.read1(_CHUNK)
            if not part:
                return bytes(found), "whole"
            found += part
    except TimeoutError:
        pass  # quiet: it is held
    except (OSError, HTTPException):
        return bytes(found), "broken"
    return bytes(found), "held"


def _read(response: HTTPResponse) -> tuple[bytes, End]:
    try:
        return response.read(), "whole"
    except TimeoutError:
        return b"", "silent"
    except (OSError, HTTPException):
        return b"", "broken"
