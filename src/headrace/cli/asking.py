"""What every command that asks a server needs: the server, values out of arguments.

Must never know: what is asked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from headrace.app import home as homes, settings
from headrace.app.home import Home
from headrace.app.settings import Settings
from headrace.errors import BadRequest, NotFound
from headrace.ports import Api
from headrace.wire import jsontext
from headrace.wire.registration import Registration, StreamSpec

NOTHING = Registration(version="", tasks=(), streams=())


def surroundings() -> tuple[Settings, Home]:
    """Return what the environment says, and the home folder that counts here."""
    setting = settings.read(os.environ)
    return setting, homes.find(setting.home, Path.cwd())


@asynccontextmanager
async def server() -> AsyncGenerator[Api]:
    """Give the server that this command is meant for."""
    from headrace.app.connecting import BRISK, client  # noqa: PLC0415 - too much for a server

    api = client(*surroundings(), BRISK)
    try:
        yield api
    finally:
        await api.aclose()


def json_of(argument: str) -> bytes:
    """Return the JSON that an argument is, or that it names: `-` is stdin, `@FILE` a file."""
    raw = _read(argument)
    try:
        return jsontext.check(raw)
    except BadRequest as error:
        error.hint = f"Text needs quotes of its own: {_quoted(argument)}" if _bare(raw) else ""
        raise


def _read(argument: str) -> bytes:
    if argument == "-":
        return sys.stdin.buffer.read()
    if not argument.startswith("@"):
        return os.fsencode(argument)
    try:
        return Path(argument[1:]).read_bytes()
    except OSError as error:
        raise NotFound(f"cannot read {argument[1:]}: {error.strerror}") from None


def _bare(raw: bytes) -> bool:
    return bool(raw.strip()) and raw.strip()[:1] not in b'{["'


def _quoted(argument: str) -> str:
    shown = argument if len(argument) <= 20 and argument.isalnum() else "text"  # noqa: PLR2004
    return f"""'"{shown}"'"""


async def stream_named(api: Api, name: str) -> StreamSpec:
    """Return what the environment's workers declared under this name."""
    listed = await api.listing() or NOTHING
    for stream in listed.streams:
        if stream.name == name:
            return stream
    known = ", ".join(sorted(stream.name for stream in listed.streams))
    hint = f"Declared are: {known}." if known else "No worker has declared any stream yet."
    raise NotFound(f"no task declares a stream {name!r}", hint=hint)
