"""What is not as it was left says so when it is loaded, and nothing is opened or emptied."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from headrace.frames.values import CannotLoad, Dumper, Loader


def _left(path: Path, mode: str, text: str) -> bytes:
    with path.open(mode, encoding="utf-8") as file:
        if "r" in mode:
            file.read(len(text))
        else:
            file.write(text)
        dumper = Dumper()
        dumper.dump({"file": file})
        return dumper.blob()


def _made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(), "cannot be opened: No such file"),
    "shorter": (lambda path: path.write_text("abc"), "had 6 bytes, and has 3 now"),
    "other": (lambda path: path.write_text("xbcdefgh"), "before byte"),
    "folder": (_made_a_folder, "cannot be opened: Is a directory"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("mode", ["r", "w", "a", "r+"])
def test_a_file_that_changed_says_how(change: str, mode: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    if "r" in mode:
        path.write_text("abcdef")
    blob = _left(path, mode, "abcdef")
    make, reason = CHANGES[change]
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(CannotLoad) as caught:
        Loader(blob).load()
    assert reason in str(caught.value)
    assert str(path) in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize("mode", ["r", "a"])
def test_a_file_may_have_grown(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("abc")
    blob = _left(path, mode, "ab" if mode == "r" else "d")
    with path.open("a") as file:
        file.write("more")
    again: Any = Loader(blob).load()["file"]
    with again:
        if mode == "r":
            assert again.read() == "cmore"
        else:
            again.write("!")
    assert mode == "r" or path.read_text() == "abcdmore!"


def test_a_file_that_was_left_by_a_relative_path_is_found_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blob = _left(Path("here"), "w", "abc")
    monkeypatch.chdir("/")
    again: Any = Loader(blob).load()["file"]
    with again:
        assert again.name == "here"
        again.write("d")
    assert (tmp_path / "here").read_text() == "abcd"


def test_a_save_leaves_the_live_file_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("".join(f"{n}\n" for n in range(5_000)))
    with ExitStack() as stack:
        read = stack.enter_context(path.open())
        written = stack.enter_context((tmp_path / "out").open("w"))
        for n in range(0, 5_000, 7):
            assert next(read) == f"{n}\n"
            written.write("x")
            Dumper().dump({"files": [read, written]})
            assert [next(read) for _ in range(6 if n < 4_998 else 1)]
    assert (tmp_path / "out").read_text() == "x" * 715


def test_a_class_that_is_gone_says_so() -> None:
    module: Any = ModuleType("was_there")
    module.Gone = type("Gone", (), {"__module__": "was_there"})
    sys.modules["was_there"] = module
    try:
        dumper = Dumper()
        dumper.dump({"it": module.Gone()})
        del module.Gone
        with pytest.raises(CannotLoad, match="Gone"):
            Loader(dumper.blob()).load()
    finally:
        del sys.modules["was_there"]
