"""What tools see: source, signature, lines, tracebacks."""

from __future__ import annotations

import inspect
import sys
import traceback
from types import FrameType
from typing import Any

from headrace import frames
from tests.frames import rig
from tests.frames.rig import case, resumable
from tests.frames.parking import finished, started, wait


@case("inspect.getsource shows the user's text", gives=True)
async def source() -> object:
    await wait(0)
    return "shows the user's text" in inspect.getsource(source)


@resumable
async def looked_at(a: int, *, b: str = "b") -> list[Any]:
    """Be looked at."""
    return [a, await wait(b)]


@case(
    "name, qualified name, module, signature, doc, kind",
    gives=(
        "looked_at",
        "looked_at",
        "(a: 'int', *, b: 'str' = 'b') -> 'list[Any]'",
        "Be looked at.",
        True,
    ),
)
async def identity() -> object:
    f = looked_at
    await wait(0)
    kind = inspect.iscoroutinefunction(f)
    return f.__name__, f.__qualname__, str(inspect.signature(f)), f.__doc__, kind


@case("where the source is: file and first line", gives=(True, "async def looked_at"))
async def place() -> object:
    await wait(0)
    lines, at = inspect.getsourcelines(looked_at)
    text = next(line for line in lines if "def" in line)
    assert at < looked_at.__code__.co_firstlineno + 2
    return looked_at.__code__.co_filename == __file__, text[: len("async def looked_at")]


@resumable
async def fails_below() -> None:
    """Fail three lines further down."""
    kept = 1
    await wait(kept)
    if kept:
        raise ValueError("here")


@case(
    "traceback of a run that was resumed: functions and lines of the user",
    gives=["await fails_below()", 'raise ValueError("here")'],
)
async def traceback_lines() -> object:
    try:
        await fails_below()
    except ValueError as error:
        return _lines(error)
    return None


def _lines(error: BaseException) -> list[str | None]:
    shown = traceback.extract_tb(error.__traceback__)
    return [frame.line for frame in shown if frame.filename.startswith(__file__)]


@case(
    "traceback through a with, a handler and a finally",
    gives=["await marked()", "await wait(KeyError())  # here"],
)
async def traceback_blocks() -> object:
    try:
        await marked()
    except KeyError as error:
        return _lines(error)
    return None


@resumable
async def marked() -> None:
    """Fail deep inside blocks."""
    with Quiet():
        try:
            await wait(1)
        finally:
            for _ in range(1):
                await wait(KeyError())  # here


class Quiet:
    """A context manager that does nothing."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


@case("the line of a suspended frame", gives=("await wait(0)  # suspended", True))
async def suspended_line() -> object:
    coroutine = suspended()
    coroutine.send(None)
    assert coroutine.cr_frame is not None
    at = coroutine.cr_frame.f_lineno
    text = inspect.getsource(sys.modules[__name__]).splitlines()[at - 1].strip()
    frames.put_away(coroutine) if rig.MODE != "native" else coroutine.close()
    del coroutine
    return text, await wait(True)


@resumable
async def suspended() -> None:
    """Suspend."""
    await wait(0)  # suspended


@resumable
async def stepped(n: int) -> int:
    """Have branches that are not taken: they are marked."""
    total = 0
    for k in range(n):
        if k > 5:
            total += 100  # not run
        total += await wait(k)
    try:
        total += await wait(1)
    except ValueError:  # not run
        total = 0  # not run
    else:
        total += 1
    with Quiet():
        await wait(2)
    return total


@case("the lines that a tracer sees, and so coverage and a debugger", gives="all")
async def traced_lines() -> object:
    text, first = inspect.getsourcelines(stepped)
    head = next(n for n, line in enumerate(text) if '"""' in line)
    body = range(head + 1, len(text))
    expected = {first + n for n in body if not text[n].endswith("# not run\n")}
    seen = _traced(stepped(2)) - {first + n for n in range(head + 1)}
    await wait(0)
    # `try:` and `else:` have no line of their own in every version.
    bare = {first + n for n in body if text[n].strip() in {"try:", "else:"}}
    return "all" if seen - bare == expected - bare else (seen - bare) ^ (expected - bare)


def _traced(coroutine: Any) -> set[int]:
    seen: set[int] = set()

    def each(frame: FrameType, event: str, _: object) -> Any:
        if event == "line":
            seen.add(frame.f_lineno)
        return each

    def begun(frame: FrameType, _: str, __: object) -> Any:
        return each if frame.f_code.co_name == "stepped" else None

    before = sys.gettrace()
    sys.settrace(begun)
    try:
        finished(coroutine, started(coroutine), lambda _: None)
    finally:
        sys.settrace(before)
    return seen
