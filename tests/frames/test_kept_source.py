"""A snapshot that has its sources goes on as it was, whatever the code has become."""

from __future__ import annotations

import importlib
import linecache
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from headrace import frames
from headrace.frames import registry
from tests.frames.parking import Coro, again, answered, finished, started, token

NAME: Final = "kept_by_a_test"
SOURCE: Final = """
from __future__ import annotations

from headrace.frames import resumable
from tests.frames.parking import wait

LIMIT = 1

def noted(value):
    return ["then", value]

def adder(k):
    return lambda n: n + k if str(k) in {"1", "2", "3", "4"} else (lambda: -n)()

@resumable
async def inner(n: NoSuchName) -> int:
    first = await wait(n)
    second = await wait(first + 1)
    return second + LIMIT

class Shop:
    def __init__(self):
        self.__sold = 1

    @resumable
    async def sell(self):
        return await wait(self.__sold), self.price()

    def price(self):
        return "then"

class Corner(Shop):
    @resumable
    async def sell(self):
        return "at the corner", await super().sell()

def shop():
    return Corner().sell()

def maker(k=7):
    @resumable
    async def made(n):
        def more():
            return n + k
        got = await wait(5)
        return got + more()
    return made(10)

@resumable
async def outer():
    kept = noted(10)
    return kept + [await inner(5)]

@resumable
async def twice():
    return [await inner(n) for n in (1, 2)]

@resumable
async def holding():
    def added(n):
        return n + 1
    async def numbers():
        yield await wait(1)
        yield 2
    later, alive, of_plain = inner(7), numbers(), adder(3)
    first = await anext(alive)
    second = await wait(added(first))
    return added(second), await anext(alive), await later, of_plain(1)

@resumable
async def plain(n):
    kept, second = adder(n), await wait(n)
    return kept, adder(second)

@resumable
async def both():
    old = await plain(1)
    await wait(0)
    new = await plain(2)
    await wait(0)
    return [one(1) for one in old + new]

@resumable
async def failing():
    await wait(0)
    raise ValueError("here, then")
"""
Deploy = Callable[..., ModuleType]


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Deploy]:
    """Write the source, with changes, and import it as a process would that knows no other."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def deployed(*changes: tuple[str, str]) -> ModuleType:
        source = SOURCE
        for old, new in changes:
            assert source.count(old) == 1, old
            source = source.replace(old, new)
        (tmp_path / f"{NAME}.py").write_text(source, "utf-8")
        return imported()

    def imported() -> ModuleType:
        forget()
        importlib.invalidate_caches()
        return importlib.import_module(NAME)

    yield deployed
    forget()


def forget() -> None:
    """Know nothing of the module, as a new process would."""
    units = registry._units  # pyright: ignore[reportPrivateUsage] - there is no other way
    for key in [key for key in units if key[0] == NAME]:
        del units[key]
    sys.modules.pop(NAME, None)
    linecache.clearcache()


def kept(coroutine: Coro) -> bytes:
    saved = bytes(frames.save(coroutine, token, takes_sources=True))
    frames.put_away(coroutine)
    return saved


def at_first(module: ModuleType, function: str) -> bytes:
    coroutine: Coro = getattr(module, function)()
    started(coroutine)
    return kept(coroutine)


def result(saved: bytes, tells: Callable[[str, str], object] | None = None) -> object:
    coroutine = frames.restore(saved, again, tells)
    return finished(coroutine, started(coroutine), lambda _: None)


INNER: Final = ("return second + LIMIT", "return second + 100 * LIMIT")
OUTER: Final = ("kept = noted(10)", 'kept = noted("no more")')


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (INNER, ["inner"]),
        (OUTER, ["outer"]),
        (("first = await wait(n)", "first = await wait(0) + await wait(n)"), ["inner"]),
        (("async def inner(n: NoSuchName)", "async def inner(m, n=1)"), ["inner"]),
        (("async def inner(n", "async def renamed(n"), ["inner"]),
        (("    return kept + [await inner(5)]", "    return kept"), ["outer"]),
        (("    kept = noted(10)\n    return kept + [await inner(5)]", "    ..."), ["outer"]),
        (("# nothing", "# nothing"), []),
    ],
    ids=["inner", "outer", "more", "signature", "renamed", "less", "empty", "same"],
)
def test_it_goes_on_as_it_was(deploy: Deploy, change: tuple[str, str], told: list[str]) -> None:
    saved = at_first(deploy(), "outer")
    deploy(*([change] if told else []))
    said = list[tuple[str, str]]()
    assert result(saved, lambda name, module: said.append((name, module))) == ["then", 10, 7]
    assert said == [(name, NAME) for name in told]


def test_without_sources_it_is_refused_and_no_larger(deploy: Deploy) -> None:
    coroutine = deploy().outer()
    started(coroutine)
    plain = frames.save(coroutine, token)
    assert (plain.kept, bytes(plain)[:1]) == (b"", b"F")
    saved = kept(coroutine)
    assert len(saved) > len(bytes(plain)) + 100
    deploy(INNER)
    assert result(saved) == ["then", 10, 7]
    with pytest.raises(frames.SourceChanged):
        result(bytes(plain))  # though this process has met that source


def test_what_it_calls_is_of_today(deploy: Deploy) -> None:
    saved = at_first(deploy(), "outer")
    for limit in (1_000, 2_000):
        deploy(OUTER, INNER, ("LIMIT = 1", f"LIMIT = {limit}"))
        assert result(saved) == ["then", 10, limit + 6]
    shop = at_first(deploy(), "shop")
    deploy(
        ("return await wait(self.__sold), ", 'return "no",'), ('"then"\n\nclass', '"now"\n\nclass')
    )
    assert result(shop) == ("at the corner", (1, "now"))


def test_a_call_that_comes_later_is_of_today(deploy: Deploy) -> None:
    saved = at_first(deploy(), "twice")
    deploy(INNER, ("for n in (1, 2)", "for n in (1, 3)"))
    assert result(saved) == [3, 103]


def test_today_is_not_replaced(deploy: Deploy) -> None:
    saved = at_first(deploy(), "outer")
    module = deploy(INNER)
    assert result(saved) == ["then", 10, 7]
    assert result(at_first(module, "outer")) == ["then", 10, 106]
    assert frames.fingerprint(module.inner) != frames.fingerprint(deploy().inner)


def test_methods_and_super_go_on(deploy: Deploy) -> None:
    saved = at_first(deploy(), "shop")
    deploy(('return "at the corner", await', 'return "elsewhere", await'))
    assert result(saved) == ("at the corner", (1, "then"))


def test_a_function_in_a_function_goes_on(deploy: Deploy) -> None:
    saved = at_first(deploy(), "maker")
    deploy(("return n + k\n        got", "return 0\n        got"))
    assert result(saved) == 22
    deploy(("def maker(k=7):", "def unmade(k):"))
    assert result(saved) == 22


def test_functions_and_generators_in_variables_go_on(deploy: Deploy) -> None:
    module = deploy()
    coroutine = module.holding()
    at = answered(coroutine, started(coroutine))
    assert at.tag == 2
    saved = kept(coroutine)
    deploy(
        ("return n + 1", "return n + 50"),
        ("yield 2", "yield 50"),
        ("first = await wait(n)", "first = 50"),
        ("lambda n: n + k", "lambda n: n + 50"),
        ("(lambda: -n)()", "50"),
    )
    told = list[str]()
    assert result(saved, lambda name, _: told.append(name)) == (3, 2, 9, 4)
    assert sorted(told) == ["adder", "holding", "inner"]


def test_it_is_saved_again_through_two_deploys(deploy: Deploy) -> None:
    saved = at_first(deploy(), "outer")
    deploy(INNER, OUTER)
    for change in (INNER, OUTER, ("async def inner(n", "async def gone(n")):
        again_saved = frames.restore(saved, again)
        started(again_saved)
        saved = kept(again_saved)
        deploy(change)
    coroutine = frames.restore(saved, again)
    answered(coroutine, started(coroutine))
    later = kept(coroutine)
    assert result(later) == ["then", 10, 7]
    assert len(later) < len(saved) + 10


def test_functions_in_variables_are_saved_again(deploy: Deploy) -> None:
    module = deploy()
    coroutine = module.holding()
    answered(coroutine, started(coroutine))
    saved = kept(coroutine)
    changes = ("return n + 1", "return n + 50"), ("lambda n: n + k", "lambda n: n + 50")
    for _ in range(2):
        deploy(*changes)
        coroutine = frames.restore(saved, again)
        started(coroutine)
        saved = kept(coroutine)
    assert result(saved) == (3, 2, 9, 4)


def test_two_versions_of_a_function_live_in_one_run(deploy: Deploy) -> None:
    saved = at_first(deploy(), "both")
    deploy(("lambda n: n + k", "lambda n: 100 * n + k"))
    coroutine = frames.restore(saved, again)
    at = answered(coroutine, started(coroutine))
    answered(coroutine, answered(coroutine, at))
    later = kept(coroutine)
    deploy(("lambda n: n + k", "lambda n: 0"))
    assert result(later) == [2, 101, 102, 102]


def test_without_its_module_it_says_so(deploy: Deploy, tmp_path: Path) -> None:
    saved = at_first(deploy(), "outer")
    forget()
    (tmp_path / f"{NAME}.py").unlink()
    with pytest.raises(frames.NotRestored, match="cannot be imported"):
        result(saved)


def test_without_a_class_it_says_so(deploy: Deploy) -> None:
    saved = at_first(deploy(), "shop")
    deploy(("class Corner(Shop)", "class Mall(Shop)"), ("return Corner()", "return Mall()"))
    with pytest.raises(frames.NotRestored, match="Corner"):
        result(saved)


def test_a_traceback_shows_the_lines_of_then(deploy: Deploy) -> None:
    saved = at_first(deploy(), "failing")
    module = deploy(("LIMIT = 1\n", "\n" * 20), ('raise ValueError("here, then")', "return 1"))
    for _ in range(2):
        with pytest.raises(ValueError, match="here") as caught:
            result(saved)
        shown = traceback.extract_tb(caught.value.__traceback__)[-1]
        assert shown.line == 'raise ValueError("here, then")'
        assert shown.lineno == SOURCE.splitlines().index('    raise ValueError("here, then")') + 1
        named = f"{re.escape(str(module.__file__))} \\(as it was saved, [0-9a-f]{{6}}\\)"
        assert re.fullmatch(named, shown.filename)
        coroutine = frames.restore(saved, again)
        started(coroutine)
        saved = kept(coroutine)
        linecache.clearcache()


FIRST: Final = f"""
import sys, {NAME}
from headrace import frames
from tests.frames.parking import answered, started, token

coroutine = {NAME}.holding()
answered(coroutine, started(coroutine))
open("{NAME}.py", "w").write("never read again")
sys.stdout.buffer.write(bytes(frames.save(coroutine, token, takes_sources=True)))
"""
SECOND: Final = f"""
import sys
from headrace import frames
from tests.frames.parking import again, finished, started

if sys.argv[1] == "hook":
    frames.install(lambda name, _: name == "{NAME}")
coroutine = frames.restore(sys.stdin.buffer.read(), again)
print(finished(coroutine, started(coroutine), lambda _: None))
"""


@pytest.mark.parametrize("way", ["decorator", "hook"])
def test_another_process_goes_on_from_bytes_alone(tmp_path: Path, way: str) -> None:
    file = tmp_path / f"{NAME}.py"
    plain = ("from headrace.frames import resumable", "resumable = lambda function: function")
    source = SOURCE.replace(*plain) if way == "hook" else SOURCE
    changed = source.replace("return n + 1", "return n + 50").replace("first + 1", "50")
    install = f"from headrace import frames\nframes.install(lambda name, _: name == '{NAME}')\n"
    first = (install if way == "hook" else "") + FIRST

    def ran(code: str, source: str, given: bytes, seed: str) -> bytes:
        file.write_text(source, "utf-8")
        paths = [str(tmp_path), *sys.path]
        return subprocess.run(
            [sys.executable, "-B", "-c", code, way],
            input=given,
            capture_output=True,
            check=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": seed},
        ).stdout

    saved = ran(first, source, b"", "1")
    assert ran(SECOND, changed, saved, "2").decode().strip() == "(3, 2, 9, 4)"
