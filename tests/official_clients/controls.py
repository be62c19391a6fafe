"""What the tests in JavaScript may do to the server and the worker: kill, and start again.

Must never know: when, or why.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.fleet.processes import Fleet, Member


class House:
    """A server and a worker that are up, or not."""

    def __init__(self, ships: Fleet) -> None:
        self._ships = ships
        self._server: Member = ships.server()
        self._worker: Member = ships.worker()
        self.acts: Mapping[str, Callable[[], None]] = {
            "/server/kill": self._kill_server,
            "/server/stop": self._stop_server,
            "/server/start": self._start_server,
            "/worker/kill": self._kill_worker,
            "/worker/start": self._start_worker,
        }

    def _kill_server(self) -> None:
        self._server.kill()

    def _stop_server(self) -> None:
        self._server.stop()

    def _start_server(self) -> None:
        self._server = self._ships.server()

    def _kill_worker(self) -> None:
        self._worker.kill()

    def _start_worker(self) -> None:
        self._worker = self._ships.worker()


@contextmanager
def controls(ships: Fleet) -> Generator[str]:
    """Start both, and listen for what is to be done to them; yield the address."""
    house = House(ships)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            act = house.acts.get(self.path)
            if act is not None:
                act()
            self.send_response(404 if act is None else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    # One thread for all: a worker ends with the very thread that has started it.
    with HTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.server_port}"
        finally:
            listener.shutdown()
            thread.join()
