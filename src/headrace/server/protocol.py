"""HTTP/1.1 on a connection, by uvicorn, with the limits that it lacks.

Owns: how long a request may take to arrive, how large its head may be, what a connection is told
when it breaks a rule, and that streams are cut, not ended, when the server stops.
Must never know: routes.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from http import HTTPStatus
from typing import Final, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from headrace.server.calls import LEAVING, LET_PAUSE
from headrace.server.holding import Holding
from headrace.server.replies import OPEN
from headrace.server.whole import Whole

HEAD_S: Final = 15.0
"""The head of a request arrives within so long of its first byte."""
BODY_S: Final = 15.0
"""So long may a body pause, where its route allows no more."""
BODY_LEAST: Final = 8_192
"""A body that brings less in that time counts as one that pauses."""
FIELDS: Final = 64
HEAD_BYTES: Final = 16_384
UNREAD: Final = 16 * 1_048_576
"""So much of a body that nobody reads any more is let pass, so that its sender sees the answer."""


class _Stage(Enum):
    """What of a request is arriving."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class _HeadTooLarge(Exception):
    """The head of a request is over a limit."""


class Guarded(Holding):
    """A connection that gives up on whoever is too slow or sends too much.

    A request that arrives in one piece costs no timer.
    """

    _timer: asyncio.TimerHandle | None = None
    _body_s = BODY_S
    _body_least = BODY_LEAST
    _body_bytes = 0
    """What has come of a body since it was given time."""
    _awaited = _Stage.NOTHING
    """What the timer waits for."""
    _stage = _Stage.NOTHING
    _fields = 0
    _head_bytes = 0
    _unread = 0
    _is_deaf = False

    # --- what arrives ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base
        """Give the first request its time."""
        super().connection_made(transport)
        self._arm(_Stage.HEAD, HEAD_S)

    def data_received(self, data: bytes) -> None:
        """Parse, and watch what is still missing."""
        if self._is_deaf:
            return
        super().data_received(data)
        match self._stage:
            case _Stage.NOTHING:
                self._disarm()
            case _Stage.HEAD:
                self._head_bytes += len(data)
                if self._head_bytes > HEAD_BYTES:
                    self._refuse(431)
                elif self._awaited is not _Stage.HEAD:
                    self._arm(_Stage.HEAD, HEAD_S)
            case _Stage.BODY:
                self._body_bytes += len(data)
                if self._awaited is not _Stage.BODY or self._body_bytes >= self._body_least:
                    self._arm(_Stage.BODY, self._body_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._disarm()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over."""
        self._stage = _Stage.NOTHING
        super().handle_websocket_upgrade()

    def let_pause(self, seconds: float) -> None:
        """Let the body that is arriving pause for so long."""
        self._body_s, self._body_least = seconds, 1
        if self._awaited is _Stage.BODY:
            self._arm(_Stage.BODY, seconds)

    # --- what the parser finds ------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._stage = _Stage.HEAD
        self._fields = self._head_bytes = self._unread = 0
        self._body_s, self._body_least = BODY_S, BODY_LEAST
        super().on_message_begin()
        self.scope.setdefault("state", {})[LET_PAUSE] = self.let_pause

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count the fields, those behind a chunked body too."""
        self._fields += 1
        self._head_bytes += len(name) + len(value)
        if self._fields > FIELDS or self._head_bytes > HEAD_BYTES:
            raise _HeadTooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Wait for the body from now on."""
        self._stage, before = _Stage.BODY, self.cycle
        super().on_headers_complete()
        if self.cycle is not before and self.scope["method"] != "HEAD":
            self.cycle.transport = Whole(self.transport)  # type: ignore[assignment]  # all it uses
        self.scope["extensions"] = {LEAVING: {"on": self.on_leaving}}

    def on_body(self, body: bytes) -> None:
        """Take the body, or let it pass where nobody reads it any more."""
        super().on_body(body)
        if self.cycle.response_complete:
            self._unread += len(body)
            if self._unread > UNREAD:
                self.close()

    def on_message_complete(self) -> None:
        """Wait for nothing."""
        self._stage = _Stage.NOTHING
        super().on_message_complete()

    # --- what is wrong --------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - as its base
        """Refuse what is no request, or too much of one."""
        over = self._fields > FIELDS or self._head_bytes > HEAD_BYTES
        self._refuse(431 if over else 400)

    def _refuse(self, status: int) -> None:
        """Answer, unless an answer is on its way already, and close."""
        self._is_deaf = True
        self._disarm()
        cycle = self._unanswered
        if cycle is None:
            self.transport.write(_said(status))
        elif not cycle.more_body:
            # That request is whole; its answer is still owed, and the last one.
            cycle.keep_alive = False
            return
        else:
            if not cycle.response_started and not self.pipeline:
                self.transport.write(_said(status))
            cycle.disconnected = True
            cycle.message_event.set()
        self.close()

    @property
    def _unanswered(self) -> RequestResponseCycle | None:
        """Return the last request whose answer is not complete."""
        # Before the first request there is none, which its annotation leaves out.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return None if cycle is None or cycle.response_complete else cycle

    def _arm(self, awaited: _Stage, seconds: float) -> None:
        self._disarm()
        self._awaited, self._body_bytes = awaited, 0
        self._timer = self.loop.call_later(seconds, self._late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._awaited = None, _Stage.NOTHING

    def _late(self) -> None:
        self._timer = None
        if self._stage is _Stage.NOTHING:
            self.close()
        elif self._stage is _Stage.BODY and self.flow.read_paused:
            self._arm(_Stage.BODY, self._body_s)  # it is us who do not read
        else:
            self._refuse(408)

    # --- the end --------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """Cut streams, so that their readers come back; let whole answers finish, held ones now."""
        cycle = self._unanswered
        super().shutdown()
        if cycle is None or not cycle.chunked_encoding:
            return
        cycle.disconnected = True
        cycle.message_event.set()
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()


_WORDS: Final = {
    400: ("the request is no HTTP", "bad_request"),
    408: ("the request took too long to arrive", "unavailable"),
    431: (f"the head of a request has at most {FIELDS} fields, {HEAD_BYTES} bytes", "too_large"),
}


def _said(status: int) -> bytes:
    """Write a whole answer by hand: no app is asked here."""
    words, code = _WORDS[status]
    body = msgspec.json.encode({"ok": False, "error": words, "code": code})
    fields = [
        *OPEN,
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    head = b"HTTP/1.1 %d %s\r\n" % (status, HTTPStatus(status).phrase.encode())
    return head + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n" + body
