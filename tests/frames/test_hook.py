"""The import hook transforms what it is told to, and says what it left as it is."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from headrace import frames
from tests.frames.parking import again, started, token

Imported = Callable[[str, str], ModuleType]


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Imported]:
    """Import a written module with the hook in place."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    remove = frames.install(lambda name, _: name.startswith("hooked_"))
    names: list[str] = []

    def one(name: str, text: str) -> ModuleType:
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
        importlib.invalidate_caches()
        names.append(name)
        return importlib.import_module(name)

    yield one
    remove()
    for name in names:
        sys.modules.pop(name, None)


TEXT = """
from tests.frames.parking import wait

async def helper(n):
    return await wait(n) + 1

class C:
    async def method(self):
        return await helper(1)

def make(k):
    async def inner():
        return k + await helper(2)
    return inner
"""


def test_every_async_function_of_a_selected_module_is_resumable(imported: Imported) -> None:
    module = imported("hooked_one", TEXT)
    assert frames.is_resumable(module.helper)
    assert frames.is_resumable(module.C.method)
    coroutine = module.make(10)()
    started(coroutine)
    made = frames.restore(bytes(frames.save(coroutine, token)), again)
    frames.put_away(coroutine)
    made.send(None)
    with pytest.raises(StopIteration) as over:
        made.send(2)
    assert over.value.value == 13


def test_other_modules_are_left_alone(imported: Imported) -> None:
    assert not frames.is_resumable(imported("not_hooked", TEXT).helper)


def test_what_cannot_be_done_is_left_as_it_is_and_said(imported: Imported) -> None:
    lines = [f"{'  ' * depth}async with wait(0):" for depth in range(1, 19)]
    deep = "\n".join(["async def deep():", *lines, "  " * 19 + "await wait(0)"])
    module = imported("hooked_deep", f"{TEXT}\n{deep}\n")
    assert frames.is_resumable(module.helper)
    assert not frames.is_resumable(module.deep)
    (left,) = (one for one in frames.untransformed() if one.name == "hooked_deep.deep")
    assert left.line == len(TEXT.splitlines()) + 2
    assert "move the inner blocks into a function" in left.why


def test_a_module_that_was_there_before_is_said(imported: Imported) -> None:
    del imported
    remove = frames.install(lambda name, _: name == "tests.frames.parking")
    remove()
    assert "tests.frames.parking" in {one.name for one in frames.untransformed()}


def test_who_awaits_what_was_left_is_told_why(imported: Imported) -> None:
    module = imported("hooked_plain", TEXT)
    coroutine = module.helper(1)
    with pytest.raises(frames.NotSaved, match="not suspended"):
        frames.save(coroutine, token)
    coroutine.close()
