"""The published JavaScript clients do with Headrace what they do with their own server.

What is here are the tests of the `*.test.mjs` files beside this one, each under its own name.
"""

from pathlib import Path

import pytest

from tests.official_clients import suite

pytestmark = pytest.mark.timeout(180)  # whoever comes first runs many

ALL = [(file, name) for file in suite.files() for name in suite.names(file)]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return suite.shared_folder(tmp_path_factory.getbasetemp())


@pytest.mark.parametrize(
    ("file", "name"), ALL, ids=lambda part: part.name if isinstance(part, Path) else part
)
def test_official_client(file: Path, name: str, shared: Path) -> None:
    verdict = suite.report(shared).verdict(name)
    assert verdict.passed, verdict.text


def test_every_test_has_a_name_of_its_own() -> None:
    names = [name for _, name in ALL]
    assert len(set(names)) == len(names) > 0


def test_every_test_that_is_run_is_known_here(shared: Path) -> None:
    assert set(suite.report(shared).verdicts) == {name for _, name in ALL}
