"""Every link between our own pages leads somewhere."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = sorted(
    page for where in ("*.md", "docs/**/*.md", "examples/**/*.md") for page in ROOT.glob(where)
)
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")


def _dead(page: Path, text: str) -> list[str]:
    targets = [link.split("#")[0] for link in LINK.findall(text) if "://" not in link]
    return [target for target in targets if target and not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert not _dead(page, page.read_text("utf-8"))


def test_a_dead_link_is_found() -> None:
    text = "[a](no/such/page.md#part) [b](#part) [c](README.md) [d](https://x.test/y)"
    assert _dead(ROOT / "docs/decisions/page.md", text) == ["no/such/page.md"]
