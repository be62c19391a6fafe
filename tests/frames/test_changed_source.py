"""A snapshot goes on with the source that it was made with, or not at all."""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from headrace import frames
from tests.frames.parking import again, answered, finished, started, token

NAME = "deployed_by_a_test"
SOURCE = """
from headrace.frames import resumable
from tests.frames.parking import wait

def noted(value):
    return [value]

@resumable
async def inner(n):
    first = await wait(n)
    return first + 1

@resumable
async def outer():
    kept = noted(10)
    return kept[0] + await inner(5)
"""
Deploy = Callable[[str], ModuleType]


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Write the module's source, and import it as a process would that knows no other."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, NAME, raising=False)

    def deployed(source: str) -> ModuleType:
        (tmp_path / f"{NAME}.py").write_text(source, "utf-8")
        sys.modules.pop(NAME, None)
        linecache.clearcache()
        importlib.invalidate_caches()
        return importlib.import_module(NAME)

    return deployed


def _saved(module: ModuleType) -> bytes:
    coroutine = module.outer()
    started(coroutine)
    saved = bytes(frames.save(coroutine, token))
    frames.put_away(coroutine)
    return saved


def _result(saved: bytes) -> object:
    coroutine = frames.restore(saved, again)
    return finished(coroutine, started(coroutine), lambda _: None)


def test_the_same_source_goes_on(deploy: Deploy) -> None:
    saved = _saved(deploy(SOURCE))
    deploy(SOURCE)
    assert _result(saved) == 16


@pytest.mark.parametrize(
    ("old", "new", "function"),
    [
        ("return first + 1", "return first + 2", "inner"),
        ("first = await wait(n)", "first = await wait(1) + await wait(n)", "inner"),
        ("kept = noted(10)", "kept = noted(11)", "outer"),
        ("async def inner(n):", "async def inner(n, m=1):", "inner"),
    ],
)
def test_another_source_is_refused_by_name(
    deploy: Deploy, old: str, new: str, function: str
) -> None:
    saved = _saved(deploy(SOURCE))
    assert SOURCE.count(old) == 1
    deploy(SOURCE.replace(old, new))
    with pytest.raises(frames.SourceChanged, match=function):
        _result(saved)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kept = noted(10)", "# why\n\n    kept = noted( 10 )"),
        ("def noted(value):", "def more():\n    return 1\n\ndef noted(value):"),
        ("return [value]", "return [value, value]"),
    ],
)
def test_what_is_no_part_of_the_frames_may_change(deploy: Deploy, old: str, new: str) -> None:
    saved = _saved(deploy(SOURCE))
    deploy(SOURCE.replace(old, new))
    assert _result(saved) == 16


def test_nothing_has_run_when_it_is_refused(deploy: Deploy) -> None:
    saved = _saved(deploy(SOURCE))
    module = deploy(SOURCE.replace("return first + 1", "return first"))
    called = list[int]()
    module.__dict__["noted"] = called.append
    with pytest.raises(frames.SourceChanged):
        _result(saved)
    assert not called


def test_it_goes_on_right_after_the_await(deploy: Deploy) -> None:
    module = deploy(SOURCE)
    saved = _saved(module)
    called = list[int]()
    module.__dict__["noted"] = called.append
    coroutine = frames.restore(saved, again)
    at = started(coroutine)
    assert at.tag == 5
    with pytest.raises(StopIteration) as over:
        answered(coroutine, at)
    assert over.value.value == 16
    assert not called
