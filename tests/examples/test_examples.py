"""The pages of the examples do in a browser what they are there for.

What is here are the tests of the `*.test.mjs` files beside this one, each under its own name.
"""

from pathlib import Path

import pytest

from tests.examples import suite
from tests.examples.building import browser
from tests.official_clients.suite import files, names, shared_folder

pytestmark = [
    pytest.mark.timeout(280),  # whoever comes first builds both pages and runs all
    pytest.mark.skipif(not browser(), reason="there is no Chromium: scripts/install-test-tools.sh"),
]

ALL = [(file, name) for file in files(suite.HERE) for name in names(file)]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_folder(tmp_path_factory.getbasetemp())


@pytest.mark.parametrize(
    ("file", "name"), ALL, ids=lambda part: part.name if isinstance(part, Path) else part
)
def test_example(file: Path, name: str, shared: Path) -> None:
    verdict = suite.report(shared).verdict(name)
    assert verdict.passed, verdict.text


def test_every_file_is_for_an_example() -> None:
    assert {file.name for file in files(suite.HERE)} == set(suite.HOUSES)


def test_every_test_has_a_name_of_its_own() -> None:
    known = [name for _, name in ALL]
    assert len(set(known)) == len(known) > 0


def test_every_test_that_is_run_is_known_here(shared: Path) -> None:
    assert set(suite.report(shared).verdicts) == {name for _, name in ALL}
