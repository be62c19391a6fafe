"""Starts a server in a network of its own, and lets this machine reach it through one socket.

    unshare --net python relay.py FD PORT COMMAND...

s2-lite listens on every address and asks nobody for a key, so it gets a network with nothing in it.
The socket FD was opened outside and stays there; what connects to it is passed on to PORT inside.
The server ends with this process, and this process with its standard input.
Must never know: what is passed on.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import struct
import sys

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def raise_loopback() -> None:
    """Let the new network's own address be reached."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, asked))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def acknowledge_at_once(way: asyncio.StreamWriter) -> None:
    """Do not let the server wait: it sends an answer's second part when the first is acknowledged.

    The system forgets this whenever something is sent.
    """
    inner = way.get_extra_info("socket")
    if inner is not None and hasattr(socket, "TCP_QUICKACK"):
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


async def passed_on(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, inner: asyncio.StreamWriter
) -> None:
    """Pass on what comes, until nothing comes any more."""
    try:
        while data := await source.read(1 << 16):
            target.write(data)
            acknowledge_at_once(inner)
            await target.drain()
    except ConnectionError:
        pass
    finally:
        target.close()


async def main(handle: int, port: int, command: list[str]) -> None:
    """Serve until standard input ends, or the server does."""
    raise_loopback()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(
            passed_on(reader, inner_writer, inner_writer),
            passed_on(inner_reader, writer, inner_writer),
        )

    server = await asyncio.create_subprocess_exec(*command)
    door = await asyncio.start_server(connected, sock=socket.socket(fileno=handle))
    ended = asyncio.Event()

    def read() -> None:
        if not os.read(0, 1):
            ended.set()

    asyncio.get_running_loop().add_reader(0, read)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(over(server, ended))
            await ended.wait()
            group.create_task(killed(server))
    finally:
        door.close()


async def over(server: asyncio.subprocess.Process, ended: asyncio.Event) -> None:
    """Notice that the server has ended by itself."""
    await server.wait()
    ended.set()


async def killed(server: asyncio.subprocess.Process) -> None:
    """End the server as a power cut would."""
    if server.returncode is None:
        server.send_signal(signal.SIGKILL)
        await server.wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
