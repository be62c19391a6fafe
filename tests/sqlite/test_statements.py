"""A statement is compiled once, whatever values it is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

import apsw
import pytest

from headrace.backends.sqlite.database import Database, Settings
from headrace.backends.sqlite.migrations import load, migrate
from headrace.backends.sqlite.queries import SQL


class Asked(Protocol):
    """What is used of apsw's connection: who is asked while a statement is compiled."""

    authorizer: Callable[..., int] | None


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("select_records", [("run", "<a", start, 10) for start in range(3)]),
        ("select_due", [(moment, 10) for moment in range(3)]),
        ("select_ready", [(1, limit, 9) for limit in range(1, 4)]),
    ],
)
def test_new_values_compile_nothing_anew(
    tmp_path: Path, name: str, values: list[tuple[object, ...]]
) -> None:
    db = Database(tmp_path / "x.db", Settings(), cache_kib=1_000)
    migrate(db, load())
    questions = list[object]()

    def permit(*question: object) -> int:
        questions.append(question)
        return apsw.SQLITE_OK

    asked = cast("Asked", db._raw)  # pyright: ignore[reportPrivateUsage] - a test may look inside
    asked.authorizer = permit
    db.rows(SQL[name], values[0])
    assert questions
    questions.clear()
    for each in values[1:]:
        db.rows(SQL[name], each)
    db.close()
    assert not questions
