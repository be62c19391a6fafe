"""What a disk may hold after the power went: what was synced, and any part of the rest.

Owns: replaying the log of a watched disk up to a cut. Must never know: SQLite, or what is stored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal, TypeAlias

from tests.sqlite.disk import Cut, Deleted, Event, Synced, Wrote

SECTOR = 512
Loss: TypeAlias = Literal["all", "some", "torn", "none"]
"""Which of the bytes that were not synced the disk has lost."""
LOSSES: tuple[Loss, ...] = ("all", "some", "torn", "none")


@dataclass(slots=True)
class _File:
    safe: bytearray = field(default_factory=bytearray)
    pending: list[Wrote | Cut] = field(default_factory=list[Wrote | Cut])


class Platter:
    """The files as they would be found, event by event."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}

    def do(self, event: Event) -> None:
        """Let one more event happen."""
        match event:
            case Wrote(path=path) | Cut(path=path):
                self._files.setdefault(path, _File()).pending.append(event)
            case Synced(path=path):
                file = self._files.setdefault(path, _File())
                for change in file.pending:
                    _apply(file.safe, change)
                file.pending.clear()
            case Deleted(path=path):
                self._files.pop(path, None)

    def found(self, loss: Loss, random: Random) -> Iterator[tuple[str, bytes]]:
        """Yield every file as the disk has it after losing that much."""
        for path, file in self._files.items():
            body = bytearray(file.safe)
            for change in file.pending:
                for kept in _kept(change, loss, random):
                    _apply(body, kept)
            yield path, bytes(body)


def _kept(change: Wrote | Cut, loss: Loss, random: Random) -> list[Wrote | Cut]:
    match loss:
        case "none":
            return [change]
        case "some" if random.random() < 0.5:
            return [change]
        case "torn" if isinstance(change, Wrote):
            return [part for part in _sectors(change) if random.random() < 0.5]
        case _:
            return []


def _sectors(change: Wrote) -> Iterator[Wrote]:
    """Cut a write where a disk could: at the sectors' edges."""
    start = 0
    while start < len(change.body):
        end = start + SECTOR - (change.offset + start) % SECTOR
        yield Wrote(change.path, change.offset + start, change.body[start:end])
        start = end


def _apply(body: bytearray, change: Wrote | Cut) -> None:
    match change:
        case Wrote(offset=offset, body=written):
            body.extend(bytes(max(0, offset - len(body))))
            body[offset : offset + len(written)] = written
        case Cut(length=length):
            del body[length:]
            body.extend(bytes(length - len(body)))


def cuts(events: Sequence[Event]) -> Iterator[tuple[int, Platter]]:
    """Yield the platter at every sync: just before it is done, and just after."""
    platter = Platter()
    for n, event in enumerate(events):
        if isinstance(event, Synced):
            yield n, platter
            platter.do(event)
            yield n + 1, platter
        else:
            platter.do(event)


def lay_out(files: Iterator[tuple[str, bytes]], folder: Path) -> None:
    """Write the files that were found into an empty folder."""
    for old in folder.iterdir():
        old.unlink()
    for path, body in files:
        (folder / Path(path).name).write_bytes(body)
