"""A server that does nothing but answer: the same HTTP stack without anything behind it.

`python -m bench.echo` prints its address as a line of JSON and serves until it is ended.
"""

from __future__ import annotations

import socket
from typing import Final

import msgspec
import uvicorn
from starlette.types import Receive, Scope, Send

_HEADERS: Final = [(b"content-type", b"application/json")]


async def answer(_scope: Scope, receive: Receive, send: Send) -> None:
    """Give a request its own body back."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, length]})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    print(msgspec.json.encode({"event": "serving", "url": url}).decode(), flush=True)
    config = uvicorn.Config(
        answer,
        http="httptools",
        loop="uvloop",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
