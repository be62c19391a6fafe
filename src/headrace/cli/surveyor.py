"""The process in which `doctor` imports a file: `python -m headrace.cli.surveyor FILE`.

Owns: what is said between the two. Must never know: what is done with it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from headrace.app.loading import CannotImport
from headrace.app.surveying import Survey, survey
from headrace.errors import Mistake

PATIENCE_S: Final = 60.0


class Unread(Struct, frozen=True, tag=True):
    """The file cannot be looked at."""

    why: str


class Seen(Struct, frozen=True, tag=True):
    """The file was looked at."""

    survey: Survey


Found: TypeAlias = Seen | Unread
_decoder: Final[msgspec.json.Decoder[Found]] = msgspec.json.Decoder(Found)


async def surveyed(file: Path) -> Found:
    """Look at a file in a process of its own: importing it may do anything."""
    command = (sys.executable, "-m", __name__, str(file))
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            said, _ = await process.communicate()
        return _decoder.decode(said)
    except TimeoutError:
        return Unread(f"importing it takes more than {PATIENCE_S:.0f} s")
    except msgspec.DecodeError:
        return Unread(f"importing it ends the process, with exit code {process.returncode}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def main(file: str) -> None:
    """Print what is found. What the file itself prints goes elsewhere."""
    answer = os.dup(1)
    os.dup2(2, 1)
    with open(answer, "wb", buffering=0) as out:  # noqa: PTH123 - a descriptor, not a path
        out.write(msgspec.json.encode(_found(Path(file))))


def _found(file: Path) -> Found:
    try:
        return Seen(survey(file))
    except CannotImport as error:
        return Unread(f"{error.message}\n{error.trace}".rstrip())
    except Mistake as error:
        return Unread(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # threads that the file has started must not hold it up
