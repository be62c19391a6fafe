"""Sources of functions in variables, through several deploys, and from process to process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Final

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
    kept,
    result,
)
from tests.frames.parking import again, answered, started


@pytest.fixture
def deploy(tmp_path: Path) -> Generator[Deploy]:
    """Deploy the module, with changes."""
    with deploying(tmp_path) as deployed:
        yield deployed


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
