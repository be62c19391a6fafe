"""The public names are those that were agreed on: a new or missing one is a change on purpose."""

import difflib

import pytest

from tools.exports import PAGE, PUBLIC, current, names


def test_the_public_names_are_those_agreed_on() -> None:
    agreed = PAGE.read_text("utf-8").splitlines()
    diff = difflib.unified_diff(agreed, current().splitlines(), "agreed", "today", lineterm="", n=0)
    assert not list(diff), "the public names changed: if on purpose, run `make exports`"


@pytest.mark.parametrize("module", PUBLIC)
def test_no_name_is_declared_twice(module: str) -> None:
    assert len(set(names(module))) == len(names(module))


def test_a_declared_name_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.errors.__all__", ["NoSuchName"])
    with pytest.raises(LookupError, match="NoSuchName"):
        names("headrace.errors")
