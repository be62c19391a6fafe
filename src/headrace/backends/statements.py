"""Reads the `*.sql` of a backend: each statement has a name and a sentence that says why."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import TypeAlias

Told: TypeAlias = Callable[[int, int], None]
"""Hears to which version a schema has come, and how many there are."""

_HEADER = re.compile(r"^-- name: (\w+)\n((?:-- .*\n)+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migrated:
    """From which version of its schema to which a database was brought."""

    before: int
    after: int


def nobody(_version: int, _last: int) -> None:
    """Hear nothing."""


def statements(text: str) -> Iterator[tuple[str, str]]:
    """Yield every name with its statement, without comments."""
    first, *parts = _HEADER.split(text)
    if first.strip():
        raise ValueError("a query stands before the first name")
    for name, body in zip(parts[::3], parts[2::3], strict=True):
        yield name, body.strip()


def load(package: str) -> Mapping[str, str]:
    """Return all statements of a package by name; a name that is there twice is an error."""
    found: dict[str, str] = {}
    for file in sorted(resources.files(package).iterdir(), key=lambda one: one.name):
        if file.name.endswith(".sql"):
            for name, body in statements(file.read_text("utf-8")):
                if name in found:
                    raise ValueError(f"two queries are called {name}")
                found[name] = body
    return MappingProxyType(found)


def load_numbered(package: str) -> list[str]:
    """Return the migrations of a package; the n-th leads to version n."""
    files = [file for file in resources.files(package).iterdir() if file.name.endswith(".sql")]
    files.sort(key=lambda file: file.name)
    numbers = [int(file.name[:4]) for file in files]
    if numbers != list(range(1, len(files) + 1)):
        raise ValueError(f"the migrations are not numbered on: {numbers}")
    return [file.read_text("utf-8") for file in files]
