"""The lock holds what pyproject.toml asks for, proved by hashes, from no index in particular."""

import re
import tomllib
from pathlib import Path
from typing import Final

import msgspec
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = (ROOT / "requirements/dev.lock").read_text("utf-8")
PINS: Final = {
    canonicalize_name(name): version for name, version in re.findall(r"(?m)^([\w.-]+)==(\S+)", LOCK)
}


class _Project(msgspec.Struct):
    dependencies: list[Requirement]
    optional: dict[str, list[Requirement]] = msgspec.field(name="optional-dependencies")


class _Pyproject(msgspec.Struct):
    project: _Project
    groups: dict[str, list[Requirement]] = msgspec.field(name="dependency-groups")


def _wanted() -> list[Requirement]:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    read = msgspec.convert(tomllib.loads(text), _Pyproject, dec_hook=lambda of, value: of(value))
    lists = [read.project.dependencies, *read.project.optional.values(), *read.groups.values()]
    return [requirement for requirements in lists for requirement in requirements]


def test_everything_that_is_asked_for_is_locked() -> None:
    unmet = [
        str(r) for r in _wanted() if PINS.get(canonicalize_name(r.name), "0") not in r.specifier
    ]
    assert not unmet, "run `make lock`"


def test_every_pin_has_hashes() -> None:
    bare = [
        block
        for block in re.split(r"(?m)^(?=\w)", LOCK)
        if "==" in block and "--hash=" not in block
    ]
    assert len(PINS) > 50
    assert not bare


def test_no_index_is_named() -> None:
    assert "://" not in LOCK
    assert "index" not in LOCK
