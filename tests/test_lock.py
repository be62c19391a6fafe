"""The lock holds what pyproject.toml asks for, proved by hashes, from no index in particular."""

import re
import tomllib
from pathlib import Path
from typing import Final

import msgspec
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = (ROOT / "requirements/dev.lock").read_text("utf-8")
RUN_LOCK: Final = (ROOT / "requirements/run.lock").read_text("utf-8")


def _pins(lock: str) -> dict[str, str]:
    found = re.findall(r"(?m)^([\w.-]+)==(\S+)", lock)
    return {canonicalize_name(name): version for name, version in found}


PINS: Final = _pins(LOCK)


class _Project(msgspec.Struct):
    dependencies: list[Requirement]
    optional: dict[str, list[Requirement]] = msgspec.field(name="optional-dependencies")


class _Pyproject(msgspec.Struct):
    project: _Project
    groups: dict[str, list[Requirement]] = msgspec.field(name="dependency-groups")


def _read() -> _Pyproject:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), _Pyproject, dec_hook=lambda of, value: of(value))


def _wanted() -> list[Requirement]:
    read = _read()
    lists = [read.project.dependencies, *read.project.optional.values(), *read.groups.values()]
    return [requirement for requirements in lists for requirement in requirements]


def test_everything_that_is_asked_for_is_locked() -> None:
    unmet = [
        str(r) for r in _wanted() if PINS.get(canonicalize_name(r.name), "0") not in r.specifier
    ]
    assert not unmet, "run `make lock`"


def test_images_have_what_runs_in_the_versions_that_are_tested() -> None:
    project = _read().project
    pins = _pins(RUN_LOCK)
    lists = [project.dependencies, *project.optional.values()]
    assert {canonicalize_name(r.name) for rs in lists for r in rs} <= set(pins)
    assert pins.items() <= PINS.items(), "run `make lock`"
    assert not {"pytest", "mypy"} & set(pins)


@pytest.mark.parametrize("lock", [LOCK, RUN_LOCK], ids=["dev", "run"])
def test_every_pin_has_hashes(lock: str) -> None:
    blocks = re.split(r"(?m)^(?=\w)", lock)
    bare = [block for block in blocks if "==" in block and "--hash=" not in block]
    assert len(_pins(lock)) > 30
    assert not bare


@pytest.mark.parametrize("lock", [LOCK, RUN_LOCK], ids=["dev", "run"])
def test_no_index_is_named(lock: str) -> None:
    assert "://" not in lock
    assert "index" not in lock
