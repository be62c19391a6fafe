"""A plain connection to look at a file with, beside the store."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, cast

import apsw

Row = tuple[str | bytes | int | float | None, ...]


class Raw(Protocol):
    """What is used of apsw's, whose own types name a class that Python 3.11 has not."""

    def execute(self, sql: str, values: Sequence[object] = ..., /) -> "Rows": ...
    def close(self) -> None: ...


class Rows(Protocol):
    """What a statement returned."""

    def fetchall(self) -> list[Row]: ...


@contextmanager
def raw(path: Path | str) -> Generator[Raw]:
    """Open the file as it is, or a database in memory (":memory:")."""
    connection = cast("Raw", apsw.Connection(str(path)))
    yield connection
    connection.close()
