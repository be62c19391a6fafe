"""Open files: the same place in the same file, and nothing lost or written twice."""

from __future__ import annotations

import io
import itertools
import sys
from pathlib import Path
from typing import Any

from tests.frames.values.registry import Values, saved

LINES = [f"line {n} äöü €\n" for n in range(2_000)]


def _written(tmp: Path) -> Values:
    files: list[Any] = [
        (tmp / "w").open("w", encoding="utf-8"), (tmp / "x").open("x", encoding="utf-8"),
        (tmp / "a").open("a", encoding="utf-8"), (tmp / "w+").open("w+", encoding="utf-8"),
    ]  # fmt: skip
    for file in files:
        file.write("before\n")
    return {"files": files, "paths": [tmp / mode for mode in ("w", "x", "a", "w+")]}


@saved(_written)
def writing_goes_on_and_empties_nothing(v: Values) -> None:
    for file, mode, path in zip(v["files"], ("w", "x", "a", "w+"), v["paths"], strict=True):
        assert (file.mode, file.name) == (mode, str(path))
        file.write("after\n")
        file.close()
        assert path.read_text("utf-8") == "before\nafter\n"


def _read(tmp: Path) -> Values:
    path = tmp / "lines"
    path.write_text("".join(LINES), "utf-8")
    by_line, counted, by_hand = (path.open(encoding="utf-8") for _ in range(3))
    for _ in range(700):
        next(by_line)
        by_hand.readline()
    rows = enumerate(counted)
    for _ in range(1_500):
        next(rows)
    old = path.open(newline="", encoding="utf-8")
    next(old)
    return {"by_line": by_line, "rows": rows, "by_hand": by_hand, "old": old, "counted": counted}


@saved(_read)
def a_loop_over_lines_goes_on_at_the_next_one(v: Values) -> None:
    assert list(v["by_line"]) == LINES[700:]
    assert list(v["by_hand"]) == LINES[700:]
    assert list(v["rows"]) == list(enumerate(LINES))[1_500:]
    assert list(v["old"]) == LINES[1:]
    for name in ("by_line", "by_hand", "old", "counted"):
        v[name].close()


def _newlines(tmp: Path) -> Values:
    (tmp / "dos").write_bytes(b"a\r\nb\r\nc")
    files = [
        (tmp / "dos").open(newline=newline, encoding="latin-1", errors="replace")
        for newline in (None, "", "\n", "\r\n")
    ]
    out = (tmp / "out").open("w", newline="\r\n", encoding="utf-16", errors="backslashreplace")
    out.write("1\n")
    return {
        "first": [it.readline() for it in files],
        "files": files,
        "out": out,
        "path": tmp / "out",
    }


@saved(_newlines)
def text_is_read_and_written_as_before(v: Values) -> None:
    assert v["first"] == ["a\n", "a\r\n", "a\r\n", "a\r\n"]
    assert [it.readline() for it in v["files"]] == ["b\n", "b\r\n", "b\r\n", "b\r\n"]
    assert {(it.encoding, it.errors) for it in v["files"]} == {("latin-1", "replace")}
    v["out"].write("2\n")
    assert v["out"].errors == "backslashreplace"
    for file in (*v["files"], v["out"]):
        file.close()
    assert v["path"].read_bytes() == "1\r\n2\r\n".encode("utf-16")


def _binary(tmp: Path) -> Values:
    path = tmp / "bytes"
    path.write_bytes(bytes(range(256)) * 100)
    reader, both, raw = path.open("rb"), path.open("r+b"), path.open("rb", buffering=0)
    reader.read(5_000)
    both.seek(10)
    both.write(b"now")
    raw.read(7)
    text = path.open(encoding="latin-1", newline="")
    text.read(4)
    return {"files": [reader, both, raw], "text": text, "under": text.buffer, "path": path}


@saved(_binary)
def bytes_go_on_and_layers_stay_one_file(v: Values) -> None:
    reader, both, raw = v["files"]
    assert [type(it) for it in v["files"]] == [io.BufferedReader, io.BufferedRandom, io.FileIO]
    assert reader.read(2) == bytes([5_000 % 256, 5_001 % 256])
    assert both.tell() == 13
    both.write(b"!")
    assert raw.read(1) == b"\x07"
    assert v["text"].buffer is v["under"]
    assert v["text"].read(2) == "\x04\x05"
    for file in (*v["files"], v["text"]):
        file.close()
    assert v["path"].read_bytes()[9:15] == b"\x09now!\x0e"


def _closed(tmp: Path) -> Values:
    (tmp / "gone").write_text("x")
    with (tmp / "gone").open(encoding="utf-8") as file, (tmp / "gone").open("rb") as plain:
        pass
    (tmp / "gone").unlink()
    return {"file": file, "plain": plain, "name": str(tmp / "gone"), "memory": _memory()}


def _memory() -> tuple[io.StringIO, io.BytesIO]:
    text, data = io.StringIO("abc"), io.BytesIO(b"abc")
    text.read(1)
    data.read(2)
    return text, data


@saved(_closed)
def a_closed_file_is_closed(v: Values) -> None:
    assert v["file"].closed
    assert v["plain"].closed
    assert (v["file"].name, v["file"].mode, v["plain"].name) == (v["name"], "r", v["name"])
    assert [it.read() for it in v["memory"]] == ["bc", b"c"]


def _standard(_: Path) -> Values:
    return {"streams": [sys.__stdout__, sys.__stderr__], "under": sys.__stdout__.buffer}  # type: ignore[union-attr]  # it is open


@saved(_standard)
def standard_streams_are_those_of_the_process(v: Values) -> None:
    assert v["streams"] == [sys.__stdout__, sys.__stderr__]
    assert sys.__stdout__ is not None
    assert v["under"] is sys.__stdout__.buffer


def _mixed(tmp: Path) -> Values:
    """Every place in a file whose characters and newlines are cut by the reading ahead."""
    path = tmp / "cut"
    path.write_bytes(b"".join(b"%d \xe2\x82\xac\r\n" % n for n in range(3_000)))
    file = path.open(encoding="utf-8")
    lines = itertools.islice(file, 1_100)
    return {"file": file, "seen": list(lines)}


@saved(_mixed)
def a_character_that_was_cut_is_read_once(v: Values) -> None:
    assert v["seen"][-1] == "1099 €\n"
    assert next(v["file"]) == "1100 €\n"
    assert sum(1 for _ in v["file"]) == 1_899
    v["file"].close()


def _odd(tmp: Path) -> Values:
    """Lines that have to be counted: of a wide encoding, and with newlines of every kind."""
    (tmp / "wide").write_text("".join(LINES), "utf-16")
    (tmp / "mixed").write_bytes(b"".join(b"%d" % n + END[n % 3] for n in range(3_000)))
    wide, mixed = (tmp / "wide").open(encoding="utf-16"), (tmp / "mixed").open(encoding="utf-8")
    for _ in range(900):
        next(wide)
        next(mixed)
    return {"wide": wide, "mixed": mixed}


END = (b"\n", b"\r\n", b"\r")


@saved(_odd)
def lines_that_are_hard_to_measure_are_counted(v: Values) -> None:
    assert list(v["wide"]) == LINES[900:]
    assert list(v["mixed"]) == [f"{n}\n" for n in range(900, 3_000)]
    v["wide"].close()
    v["mixed"].close()
