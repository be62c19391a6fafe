"""A wall clock that can be set while a program runs.

libfaketime stands between the program and the system. The clocks that count from the start of the
machine (monotonic, boot) stay true, as they do when somebody sets the clock of a real machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDERS: Final = ("/usr/lib", "/usr/local/lib", "/opt/homebrew/lib")
NAME: Final = "libfaketimeMT.so.1"


def library() -> Path | None:
    """Return where libfaketime is, if it is."""
    return next(_found(), None)


def _found() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from Path(folder).glob(f"**/{NAME}")


@dataclass(frozen=True, slots=True)
class WallClock:
    """The clock of the programs that run with `environment`."""

    library: Path
    file: Path

    def set(self, offset: str) -> None:
        """Let it be off by so much from now on: "+1d", "-2d", "+0"."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(offset, "ascii")
        fresh.replace(self.file)  # nobody ever reads half of it

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what makes a program use it."""
        return {
            "LD_PRELOAD": str(self.library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Its work-around for some C libraries makes waits for Python's own lock too long.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }
