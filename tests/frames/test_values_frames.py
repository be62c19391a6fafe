"""The frames of a chain share one memo, and their cells and functions go by what the hooks say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import CellType, FunctionType
from typing import Any, Final

import pytest

import headrace.frames
from headrace.frames.resources import Resource, resource
from headrace.frames.values import CannotLoad, CannotSave, Dumper, Held, Loader, Refused

SMALL: Final = 60
FRAME: Final = {"@pc": 3, "count": 1, "total": 2}


def test_what_two_frames_share_stays_shared() -> None:
    shared: list[Any] = [1]
    dumper = Dumper()
    dumper.dump({"outer": shared})
    dumper.dump({"inner": {"deep": shared}})
    loader = Loader(dumper.blob())
    outer, inner = loader.load(), loader.load()
    assert inner["inner"]["deep"] is outer["outer"]  # type: ignore[index]  # it is that dict


def test_a_frame_of_numbers_is_small() -> None:
    dumper = Dumper()
    dumper.dump(FRAME)
    assert len(dumper.blob()) < SMALL
    dumper.dump(FRAME | {"more": 1})
    assert len(dumper.blob()) < 2 * SMALL


def test_a_frame_is_loaded_when_it_is_asked_for() -> None:
    made: list[object] = []

    def holding(it: object) -> object:
        made.append(it)
        return it

    dumper = Dumper({CellType: lambda _: Held("cell")})
    dumper.dump({"n": 1})
    dumper.dump({"cell": CellType(1)})
    loader = Loader(dumper.blob(), holding)
    assert loader.load() == {"n": 1}
    assert made == []
    assert loader.load() == {"cell": "cell"}
    assert made == ["cell"]


def _function(fn: Any) -> Any:
    """Make a function again from another of the same code, over the cells that are given."""
    return (_rebuilt, (fn.__name__, fn.__defaults__, fn.__closure__))


def _rebuilt(name: str, defaults: Any, closure: Any) -> FunctionType:
    code = {fn.__code__.co_name: fn.__code__ for fn in _closures(0, [])}[name]
    return FunctionType(code, globals(), name, defaults, closure)


def _closures(count: int, log: list[int]) -> list[Any]:
    def add(by: int = 1) -> int:
        nonlocal count
        count += by
        return count

    def told() -> int:
        log.append(count)
        return count

    return [add, told]


def test_a_cell_of_a_live_frame_is_the_one_that_its_new_frame_has() -> None:
    log = [1]
    add, told = _closures(1, log)
    live = {
        id(cell): name
        for name, cell in zip(told.__code__.co_freevars, told.__closure__, strict=True)
    }

    def place(cell: CellType) -> Held | None:
        return Held((0, live[id(cell)])) if id(cell) in live else None

    dumper = Dumper({CellType: place, FunctionType: _function})
    dumper.dump({"add": add, "told": told})
    cells = {"count": CellType(5), "log": CellType([])}
    again: Any = Loader(dumper.blob(), lambda place: cells[place[1]]).load()
    assert again["add"](2) == 7
    assert again["told"]() == 7
    assert cells["log"].cell_contents == [7]
    assert again["told"].__closure__[0] is cells["count"]


def test_a_cell_that_no_frame_has_goes_by_its_content_and_stays_shared() -> None:
    add, told = _closures(1, [])
    empty, loop = CellType(), CellType(None)
    loop.cell_contents = loop
    dumper = Dumper({FunctionType: _function})
    dumper.dump({"told": told, "add": add, "empty": empty, "loop": loop, "none": CellType(None)})
    again: Any = Loader(dumper.blob()).load()
    assert again["add"](1) == again["told"]() == 2
    assert again["loop"].cell_contents is again["loop"]
    assert again["none"].cell_contents is None
    with pytest.raises(ValueError, match="empty"):
        _ = again["empty"].cell_contents


def test_a_hook_refuses_in_its_own_words() -> None:
    def refuse(_: object) -> None:
        raise Refused("it belongs to a call further in", "pass it as an argument")

    _, told = _closures(1, [])
    dumper = Dumper({CellType: refuse, FunctionType: _function})
    with pytest.raises(CannotSave) as caught:
        dumper.dump({"callbacks": [told]})
    error = caught.value
    assert (error.path, error.reason) == (
        "callbacks[0].count",
        "it belongs to a call further in",
    )
    assert error.instead == "pass it as an argument"


def test_a_hook_is_told_what_is_open() -> None:
    seen: list[object] = []
    handle = resource(list[int])
    dumper = Dumper({Resource: seen.append})
    dumper.dump({"handle": [handle]})
    assert seen == [handle]


def test_without_hooks_calls_and_closures_are_refused() -> None:
    with pytest.raises(CannotSave, match="no name leads to"):
        Dumper().dump({"told": _closures(1, [])[1]})


def test_what_is_held_needs_someone_who_holds_it() -> None:
    dumper = Dumper({CellType: lambda _: Held(1)})
    dumper.dump({"cell": CellType(1)})
    with pytest.raises(CannotLoad, match="only a Loader"):
        Loader(dumper.blob()).load()


def test_nobody_who_does_not_use_them_imports_the_model_libraries() -> None:
    # Without the package's own __init__, which needs msgspec for other things.
    program = (
        "import sys, types, os\n"
        "import importlib.util\n"
        "home = types.ModuleType('headrace')\n"
        "home.__path__ = [os.path.join(sys.argv[1], 'headrace')]\n"
        "sys.modules['headrace'] = home\n"
        "from headrace.frames.values import Dumper, Loader\n"
        "dumper = Dumper(); dumper.dump({'a': [1]}); Loader(dumper.blob()).load()\n"
        "assert not {'pydantic', 'msgspec', 'httpx', 'anyio'} & set(sys.modules), sys.modules\n"
    )
    source = str(Path(headrace.frames.__file__).parents[2])
    said = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", program, source],
        check=False, capture_output=True, text=True, timeout=15,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
