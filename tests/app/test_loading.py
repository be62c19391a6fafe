"""A worker's file is imported under its stem, and a failure is shown from the file on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace import frames
from headrace.app.loading import CannotImport, load
from headrace.errors import Mistake, NotFound


@pytest.fixture(autouse=True)
def unchanged() -> Iterator[None]:
    """Leave the interpreter as it was."""
    path, modules, meta = list(sys.path), set(sys.modules), list(sys.meta_path)
    yield
    sys.path[:], sys.meta_path[:] = path, meta
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def _file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_its_folder_comes_first(tmp_path: Path) -> None:
    _file(tmp_path, "beside_it.py", "value = 5\n")
    module = load(_file(tmp_path, "some_tasks.py", "from beside_it import value\n"))
    assert (module.__name__, vars(module)["value"]) == ("some_tasks", 5)
    assert sys.modules["some_tasks"] is module


def test_a_failure_is_shown_from_the_file_on(tmp_path: Path) -> None:
    _file(tmp_path, "broken_part.py", "1 / 0\n")
    path = _file(tmp_path, "whole_tasks.py", "\nimport broken_part\n")
    with pytest.raises(CannotImport, match="ZeroDivisionError") as failed:
        load(path)
    assert 'whole_tasks.py", line 2' in failed.value.trace
    assert 'broken_part.py", line 1' in failed.value.trace
    assert "loading.py" not in failed.value.trace
    assert "whole_tasks" not in sys.modules


@pytest.mark.parametrize("text", ["def broken(:\n", "raise SystemExit(1)\n", "x = '\udcff'\n"])
def test_whatever_it_raises_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd_tasks.py"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CannotImport):
        load(path)


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="taken"):
        load(_file(tmp_path, "json.py", ""))


def test_what_is_no_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load(tmp_path / "nowhere.py")
    with pytest.raises(Mistake, match="name"):
        load(_file(tmp_path, "my-tasks.py", ""))
    with pytest.raises(Mistake, match="name"):
        load(_file(tmp_path, "tasks.txt", ""))


def test_the_users_own_functions_can_be_saved_and_no_others(tmp_path: Path) -> None:
    installed = tmp_path / "venv/lib/python3/site-packages"
    installed.mkdir(parents=True)
    _file(installed, "of_others.py", "async def theirs(): await theirs()\n")
    inner = tmp_path / "inner_part"
    inner.mkdir()
    _file(inner, "deep_part.py", "async def deep(): await deep()\n")
    _file(tmp_path, "own_part.py", "async def beside(): await beside()\n")
    sys.path.append(str(installed))
    text = (
        "import of_others, own_part\nfrom inner_part import deep_part\n"
        "async def own(): await own()\n"
    )
    module = load(_file(tmp_path, "own_tasks.py", text))
    assert frames.is_resumable(vars(module)["own"])
    assert frames.is_resumable(vars(sys.modules["own_part"])["beside"])
    assert frames.is_resumable(vars(sys.modules["inner_part.deep_part"])["deep"])
    assert not frames.is_resumable(vars(sys.modules["of_others"])["theirs"])
    assert vars(module)["own"].__code__.co_filename == str(tmp_path / "own_tasks.py")
