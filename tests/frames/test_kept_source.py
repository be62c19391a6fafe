"""A snapshot that has its sources goes on as it was, whatever the code has become."""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Generator
from pathlib import Path

import pytest

from headrace import frames
from tests.frames.deployed import (
    INNER,
    NAME,
    OUTER,
    SOURCE,
    Deploy,
    at_first,
    deploying,
    forget,
    kept,
    result,
)
from tests.frames.parking import again, started, token


@pytest.fixture
def deploy(tmp_path: Path) -> Generator[Deploy]:
    """Deploy the module, with changes."""
    with deploying(tmp_path) as deployed:
        yield deployed


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
