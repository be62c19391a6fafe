"""Commands that a page types and that cannot be carried out here: each asks the test what to do.

Owns: programs in a folder, and their line to the test. Must never know: what they stand for.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

Answer = Callable[[list[str]], str]
"""Takes the words after the command; gives what it prints, or raises what is wrong."""
MOST: Final = 65_536
PROGRAM: Final = """#!{python} -SE
import json, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect({place!r})
line.sendall(json.dumps([{name!r}, *sys.argv[1:]]).encode())
line.shutdown(socket.SHUT_WR)
code, text = json.loads(line.makefile("rb").read())
(sys.stderr if code else sys.stdout).write(text)
sys.exit(code)
"""


@contextmanager
def standing_in(folder: Path, answers: Mapping[str, Answer]) -> Generator[None]:
    """Have programs in the folder as long as the block lasts."""
    place = folder / "line"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        for name in answers:
            program = folder / name
            program.write_text(
                PROGRAM.format(python=sys.executable, place=str(place), name=name), "utf-8"
            )
            program.chmod(0o755)
        thread = threading.Thread(target=_answer, args=(listener, answers))
        thread.start()
        try:
            yield
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            place.unlink()


def _answer(listener: socket.socket, answers: Mapping[str, Answer]) -> None:
    while True:
        try:
            line, _ = listener.accept()
        except OSError:
            return
        with line:
            name, *words = msgspec.json.decode(_whole(line), type=list[str])
            try:
                code, text = 0, answers[name](words)
            except Exception as error:  # noqa: BLE001 - whoever typed it is told
                code, text = 1, f"{name}: {error!r}{os.linesep}"
            line.sendall(json.dumps([code, text]).encode())


def _whole(line: socket.socket) -> bytes:
    parts = list[bytes]()
    while part := line.recv(MOST):
        parts.append(part)
    return b"".join(parts)
