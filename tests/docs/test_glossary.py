"""docs/glossary.md says of each word one thing."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Final

GLOSSARY: Final = Path(__file__).parents[2] / "docs/glossary.md"
TERM: Final = re.compile(r"^- \*\*(.+?)\*\*", re.MULTILINE)


def test_no_word_is_explained_twice() -> None:
    terms = Counter(TERM.findall(GLOSSARY.read_text("utf-8")))
    assert len(terms) > 100
    assert [term for term, count in terms.items() if count > 1] == []
