"""A caller who knows one address and a key: starts runs that ask, answers them, follows them.

Must never know: who is behind the address.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.request import Request, urlopen

import msgspec

PATIENCE_S: Final = 45.0
ANSWER: Final = b'{"data": {"approved": true, "reviewer": "alice"}}'


class Started(msgspec.Struct, frozen=True):
    """The answer to a trigger."""

    id: str


class Shown(msgspec.Struct, frozen=True):
    """A run."""

    status: str
    output: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks, with the key."""

    url: str
    key: str

    def ask(self, path: str, body: bytes | None = None, key: str = "") -> bytes:
        """Ask once; `key` is the caller's idempotency key."""
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        if key:
            headers |= {"idempotency-key": key}
        asked = Request(self.url + path, body, headers)  # noqa: S310 - ours
        with urlopen(asked, timeout=PATIENCE_S) as answer:  # noqa: S310 - ours
            return bytes(answer.read())

    def triggered(self, title: str) -> str:
        """Start a run that asks."""
        body = msgspec.json.encode({"payload": title})
        return msgspec.json.decode(self.ask("/api/v1/tasks/ask/trigger", body), type=Started).id

    def answer(self, run: str, key: str = "") -> None:
        """Answer a run that asks."""
        self.ask(f"/realtime/v1/streams/{run}/input/approval", ANSWER, key)

    def finished(self, run: str) -> str | None:
        """Wait for the end of a run; return what came of it."""
        end = time.monotonic() + PATIENCE_S
        while True:
            shown = msgspec.json.decode(self.ask(f"/api/v3/runs/{run}"), type=Shown)
            if shown.status == "COMPLETED":
                return shown.output
            assert time.monotonic() < end, f"run {run} is {shown.status}"
            threading.Event().wait(0.05)

    @contextmanager
    def tailing(self, run: str) -> Generator[Iterator[bytes]]:
        """Follow what a run puts out, line by line as it comes."""
        connection = http.client.HTTPConnection(
            self.url.removeprefix("http://"), timeout=PATIENCE_S
        )
        headers = {"authorization": f"Bearer {self.key}"}
        connection.request("GET", f"/realtime/v1/streams/{run}/log", headers=headers)
        answer = connection.getresponse()
        assert answer.headers["content-type"].startswith("text/event-stream")
        try:
            yield iter(answer.readline, b"")
        finally:
            connection.close()


def until(lines: Iterator[bytes], text: bytes) -> None:
    """Read until a line has the text."""
    assert any(text in line for line in lines), f"it ended before {text!r}"
