"""What restoring does around the frames: nothing of the user's runs before it is sure."""

from __future__ import annotations

import gc
import warnings
import weakref
from pathlib import Path
from typing import Any

import pytest

from headrace import frames
from headrace.frames import runtime
from headrace.frames.saved import MARK, THIS
from tests.frames.parking import again, started, token, wait
from tests.frames.written import load

RAN: list[str] = []


class Kept:
    """Can be saved; whether it can be loaded, is said at that time."""

    broken = False

    def __setstate__(self, state: object) -> None:
        if Kept.broken:
            raise RuntimeError("the world has changed")
        self.__dict__.update(state or {})  # type: ignore[call-overload] # a dict, or None


@frames.resumable
async def outer() -> object:
    """Run every kind of block around the await."""
    try:
        async with Noting():
            return await inner()
    except BaseException:
        RAN.append("except")
        raise
    finally:
        RAN.append("finally")


class Noting:
    """Say when it is left."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None:
        RAN.append("exit")


@frames.resumable
async def inner() -> object:
    """Hold what may not be loaded."""
    kept = Kept()
    kept.__dict__["value"] = 1
    await wait(0)
    return kept.__dict__["value"]


@pytest.fixture
def saved() -> bytes:
    RAN.clear()
    coroutine: Any = outer()
    started(coroutine)
    blob = bytes(frames.save(coroutine, token))
    frames.put_away(coroutine)
    return blob


def test_putting_away_runs_nothing(saved: bytes) -> None:
    assert saved
    assert RAN == []


def test_a_value_that_cannot_be_loaded_runs_nothing(
    saved: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Kept, "broken", True)
    coroutine = frames.restore(saved, again)
    with pytest.raises(frames.NotRestored, match="the world has changed"):
        coroutine.send(None)
    assert RAN == []
    assert not runtime.pending


def test_a_snapshot_of_another_python_is_refused(saved: bytes) -> None:
    other = bytearray(saved)
    other[len(MARK + THIS) - 1] -= 1  # the minor version
    with pytest.raises(frames.NotRestored, match="was made by"):
        _ = frames.restore(bytes(other), again)


def test_a_snapshot_that_is_cut_off_is_refused(saved: bytes) -> None:
    for length in range(len(MARK + THIS), len(MARK + THIS) + 20):
        with pytest.raises(frames.NotRestored, match="no snapshot"):
            _ = frames.restore(saved[:length], again)


def test_what_is_no_snapshot_is_refused() -> None:
    with pytest.raises(frames.NotRestored, match="no snapshot"):
        _ = frames.restore(b"nonsense", again)


def test_a_snapshot_may_be_taken_up_twice(saved: bytes) -> None:
    for _ in range(2):
        coroutine = frames.restore(saved, again)
        coroutine.send(None)
        with pytest.raises(StopIteration) as over:
            coroutine.send(None)
        assert over.value.value == 1
    assert RAN == ["exit", "finally"] * 2


def test_a_coroutine_that_is_never_begun_leaves_nothing_behind(saved: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        coroutine = frames.restore(saved, again)
        assert runtime.pending
        del coroutine
    assert not runtime.pending
    assert RAN == []


def test_another_function_that_begins_meanwhile_takes_nothing_up(saved: bytes) -> None:
    first = frames.restore(saved, again)
    other: Any = inner()
    started(other)
    first.send(None)
    with pytest.raises(StopIteration):
        other.send(None)
    with pytest.raises(StopIteration):
        first.send(None)


def test_what_the_leaf_raises_is_the_users(saved: bytes) -> None:
    async def failing(_: object) -> None:
        raise KeyError("late")

    coroutine = frames.restore(saved, failing)
    with pytest.raises(KeyError, match="late"):
        coroutine.send(None)
    assert RAN == ["exit", "except", "finally"]


class Big:
    """Something whose end can be watched."""


@frames.resumable
async def holding(watched: list[Any]) -> int:
    """Hold something big in a cycle-free way."""
    big = Big()
    watched.append(weakref.ref(big))
    try:
        for _ in [big]:
            await wait(1)
    finally:
        del big
    return 1


def test_memory_goes_back_without_the_collector() -> None:
    watched: list[Any] = []
    coroutine: Any = holding(watched)
    started(coroutine)
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(frames.NotSaved):
            frames.save(coroutine, token)
        watched_there = watched.pop()
        saved = frames.save(coroutine, token)
        frames.put_away(coroutine)
        del coroutine
        assert watched_there() is None
        made = frames.restore(saved, again)
        made.send(None)
        assert made.cr_frame is not None
        held = weakref.ref(made.cr_frame.f_locals["big"])
        frames.put_away(made)
        del made
        assert held() is None
    finally:
        gc.enable()


def test_a_function_in_a_function_is_found_by_its_source(tmp_path: Path) -> None:
    text = """
    def make(k):
        @resumable
        async def made(n):
            return [k, n, await wait(n)]
        return made

    main = lambda: make("k")(3)
    """
    module = load(tmp_path, text)
    coroutine = module.main()
    started(coroutine)
    made = frames.restore(bytes(frames.save(coroutine, token)), again)
    frames.put_away(coroutine)
    made.send(None)
    with pytest.raises(StopIteration) as over:
        made.send(3)
    assert over.value.value == ["k", 3, 3]
