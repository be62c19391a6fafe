"""What a coroutine that is put away had in its variables is let go at once, and silently."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from headrace.frames import put_away, resumable, save
from tests.frames.parking import wait


class Thing:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        raise AssertionError


known: list[weakref.ref[Thing]] = []


@resumable
async def inner(thing: Thing) -> None:
    with thing as same:
        known.append(weakref.ref(same))
        await wait(1)


@resumable
async def outer(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("x")
        await inner(Thing())


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("saves", [0, 1, 2])
def test_variables_are_freed_without_the_collector(
    saves: int, tmp_path: Path, no_collector: None
) -> None:
    known.clear()
    coroutine: Any = outer(tmp_path / "file")
    coroutine.send(None)
    for _ in range(saves):
        save(coroutine, lambda _: 1)
    put_away(coroutine)  # a warning of the open file would be an error here
    assert known[0]() is None
