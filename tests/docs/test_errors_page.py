"""The page on errors says what the classes say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from headrace import errors
from headrace.wire.http import STATUS

PAGE: Final = Path(__file__).parents[2] / "docs/reference/errors.md"
ROW: Final = re.compile(r"^\| \**`(\w+)`\** \| `(\w+)` \| (\d+|-) \| (\d) \|", re.MULTILINE)
EXIT: Final = {errors.Mistake: "3", errors.Trouble: "4", errors.Verdict: "1"}


def test_every_class_has_a_row_with_its_code_status_and_exit_code() -> None:
    rows = {name: rest for name, *rest in ROW.findall(PAGE.read_text("utf-8"))}
    assert set(rows) == set(errors.__all__) - {"HeadraceError"}
    for name, (code, status, end) in rows.items():
        kind = getattr(errors, name)
        assert code == kind.code
        assert status == str(STATUS.get(kind.code, "-"))
        assert end == next(number for base, number in EXIT.items() if issubclass(kind, base))
