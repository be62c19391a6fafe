"""What hangs is told from what was slow once, and from a machine that stands still."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import pytest

from tests.openapi.asking import Asked, Wire
from tests.openapi.hanging import SLOW_S, judged
from tests.openapi.pulse import EASE_S, Pulse

ASKED: Final = Asked("GET", "/")
DELAY_S: Final = SLOW_S + 0.1


@contextmanager
def _server(delays: Sequence[float]) -> Generator[Wire]:
    """Serve answers that take so long each; the last delay stays. `/health` is quick."""
    left = list(delays)

    class Slow(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/":
                threading.Event().wait(left.pop(0) if len(left) > 1 else left[0])
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        wire = Wire(server.server_address[1])
        try:
            yield wire
        finally:
            wire.close()
            server.shutdown()
            thread.join()


def _verdict(delays: Sequence[float], *, late_s: float = 0.0) -> str:
    with _server(delays) as wire, Pulse() as pulse:
        heard = wire.ask(ASKED)
        if late_s:
            pulse.note(time.monotonic(), late_s)
        return judged(wire, pulse, ASKED, heard).verdict


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("delays", "verdicts"),
    [
        ([0.0], {"quick"}),
        ([DELAY_S, 0.0], {"once", "stalled"}),  # the machine of the test may be busy, too
        ([DELAY_S], {"hang"}),
    ],
)
def test_what_is_slow_again_hangs(delays: Sequence[float], verdicts: set[str]) -> None:
    assert _verdict(delays) in verdicts


@pytest.mark.timeout(120)
def test_a_machine_that_stood_still_is_no_hang() -> None:
    assert _verdict([DELAY_S, 0.0], late_s=2 * EASE_S) == "stalled"


def test_a_pulse_knows_since_when() -> None:
    pulse = Pulse()
    pulse.note(10.0, 1.0)

    assert pulse.was_at_ease(11.0)
    assert not pulse.was_at_ease(9.0)
