"""The published JavaScript clients do with Headrace what they do with their own server.

What is here are the tests of the `*.test.mjs` files beside this one, each under its own name.
"""

from pathlib import Path

import pytest

from tests.official_clients import suite

pytestmark = pytest.mark.timeout(150)  # of its file; whoever comes first runs all of it

ALL = [(file, name) for file in suite.files() for name in suite.names(file)]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return suite.shared_folder(tmp_path_factory.getbasetemp())


@pytest.mark.parametrize(
    ("file", "name"), ALL, ids=lambda part: part.name if isinstance(part, Path) else part
)
def test_official_client(file: Path, name: str, shared: Path) -> None:
    verdict = suite.report(file, shared).verdict(name)
    assert verdict.passed, verdict.text


@pytest.mark.parametrize("file", suite.files(), ids=lambda file: file.name)
def test_every_test_of_a_file_has_a_name_of_its_own_and_is_known_here(
    file: Path, shared: Path
) -> None:
    known = suite.names(file)
    assert len(set(known)) == len(known) > 0
    assert set(suite.report(file, shared).verdicts) == set(known)
