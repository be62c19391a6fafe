"""A resumable function looks like the function it was, and says why where it cannot be one."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import FunctionType

import pytest

from headrace import frames
from tests.frames.parking import finished, started, wait
from tests.frames.written import load


@frames.resumable
async def looked_at(a: int, /, b: str = "b", *, c: float = 1.0) -> tuple[int, str, float]:
    """Be looked at."""
    return a, await wait(b), c


def test_it_looks_as_it_was() -> None:
    assert str(inspect.signature(looked_at)).startswith("(a: 'int', /, b: 'str' = 'b', *, c:")
    assert (looked_at.__name__, looked_at.__doc__) == ("looked_at", "Be looked at.")
    assert inspect.iscoroutinefunction(looked_at)
    assert inspect.getsource(looked_at).startswith("@frames.resumable\nasync def looked_at")


def test_making_it_resumable_again_changes_nothing() -> None:
    assert frames.resumable(looked_at) is looked_at


def test_it_is_known_behind_other_decorators() -> None:
    def other(*_: object) -> None: ...

    other.__wrapped__ = looked_at  # type: ignore[attr-defined] # as functools.wraps does
    assert frames.is_resumable(other)
    assert not frames.is_resumable(wait)
    assert frames.fingerprint(other) == frames.fingerprint(looked_at)


def test_what_is_not_resumable_has_no_fingerprint() -> None:
    with pytest.raises(ValueError, match="not resumable"):
        frames.fingerprint(wait)


BODY = "@resumable\nasync def main(x):\n    return await wait(x)"
SAME = [
    "# said\n\n" + BODY.replace("wait(x)", "wait(  x )  # said"),
    BODY.replace("    return", '    "Say."\n\n    return'),
]
OTHER = [BODY.replace("wait(x)", "wait(x + 0)"), BODY.replace("main(x)", "main(x, y=1)")]


@pytest.mark.parametrize("text", SAME)
def test_a_comment_or_a_docstring_leaves_the_fingerprint(text: str, tmp_path: Path) -> None:
    assert _fingerprint(tmp_path, text) == _fingerprint(tmp_path, BODY)


@pytest.mark.parametrize("text", OTHER)
def test_what_a_function_does_makes_its_fingerprint(text: str, tmp_path: Path) -> None:
    assert _fingerprint(tmp_path, text) != _fingerprint(tmp_path, BODY)


def _fingerprint(folder: Path, text: str) -> str:
    return frames.fingerprint(load(folder, text).main)


def test_a_function_that_is_not_async_is_refused() -> None:
    def plain() -> None: ...

    with pytest.raises(frames.NotResumable, match=r"plain\(\).*not async.*async def"):
        frames.resumable(plain)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(frames.NotResumable, match=r"staticmethod.*below other decorators"):
        frames.resumable(staticmethod(looked_at))


def test_a_function_without_source_is_refused() -> None:
    space: dict[str, object] = {}
    code = compile("async def made(): await None", "<nowhere>", "exec")
    made = FunctionType(code.co_consts[0], space, "made")
    with pytest.raises(frames.NotResumable, match="source cannot be found") as caught:
        frames.resumable(made)
    assert caught.value.instead == "write it in a file"


def test_blocks_nested_too_deeply_are_refused(tmp_path: Path) -> None:
    head = ["@resumable", "async def main():"]
    deep = [f"{'  ' * depth}async with wait({depth}):" for depth in range(1, 19)]
    text = "\n".join([*head, *deep, "  " * 19 + "await wait(0)"])
    with pytest.raises(frames.NotResumable, match=r"nested too deeply.*move the inner blocks"):
        load(tmp_path, text)


def test_a_maker_that_runs_twice_compiles_once(tmp_path: Path) -> None:
    module = load(
        tmp_path,
        """
        def make(k):
            @resumable
            async def made():
                return k + await wait(1)
            return made
        """,
    )
    one, two = module.make(10), module.make(20)
    assert one.__code__ is two.__code__
    coroutine = two()
    assert finished(coroutine, started(coroutine), lambda _: None) == 21
