"""docs/howto/tokens.md is typed as it stands."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.desk import Desk, surroundings
from tests.e2e.pages import files, typed
from tests.e2e.terminal import terminal

PAGE: Final = "docs/howto/tokens.md"

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(shutil.which("curl") is None, reason="the page answers with curl"),
]


def test_the_page_on_tokens_does_what_it_says(tmp_path: Path) -> None:
    for name, text in files(PAGE):
        (tmp_path / name).write_text(text, "utf-8")
    environment = surroundings()
    printed = dict[str, str]()
    with terminal(tmp_path, environment) as one, terminal(tmp_path, environment) as two:
        desk = Desk(one, two, environment["HEADRACE_PORT"])
        for it in typed(PAGE):
            if it.command == "headrace waits":
                printed[it.command] = desk.until(it, lambda text: "tokens complete" in text)
            else:
                printed[it.command] = desk.types(it)
        desk.stops_dev()
    assert "sell" in printed["headrace waits"]
    assert printed["""curl "$(cat A-17.txt)" -d '{"amount": 24.5}'"""] == '{"success":true}'
    assert '"A-17: 24.5 by card"' in printed["headrace tail $RUN"]
    assert len(re.findall("order:A-18", printed["headrace tokens list --status WAITING"])) == 1
    for tail in ("headrace tail $ONE", "headrace tail $TWO"):
        assert '"shipped, for 30.0 by cash"' in printed[tail]
    assert '{"amount":30,"method":"cash"}' in printed["headrace tokens show $TOKEN"]
    late = printed["""headrace tokens complete $TOKEN '{"amount": 31}'"""]
    assert "was over already: COMPLETED" in late
    assert printed["python shop.py"].strip() == "gift"
