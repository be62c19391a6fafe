"""What a snapshot is said to stand on, and what a worker says that it has."""

import asyncio
import sys

import msgspec
import pytest

from headrace import frames, streams, task
from headrace.kernel.model import Footing, Function
from headrace.sdk import footing
from headrace.sdk.footing import PYTHON, footing_of, functions_here
from headrace.sdk.registry import registry
from headrace.testing import local
from tests.frames.parking import started, token, wait
from tests.worker import saved_tasks

MODULE = __name__
answer = streams.input("footing-answer", int)


@frames.resumable
async def deep(times: int) -> object:
    if times:
        return await deep(times - 1)
    return await wait("here")


@frames.resumable
async def twin() -> object:  # pyright: ignore[reportRedeclaration]  # two of one name
    return await deep(0)


first = twin


@frames.resumable  # type: ignore[no-redef]  # two of one name
async def twin() -> object:
    return await wait("here")


def stood(coroutine: object) -> Footing | None:
    """Start a coroutine, save it and drop it; return what the snapshot stands on."""
    started(coroutine)  # type: ignore[arg-type]  # of whatever type it returns
    saved = frames.save(coroutine, token)
    frames.put_away(coroutine)  # type: ignore[arg-type]
    return footing_of(saved)


def test_each_function_is_told_once_the_outermost_first() -> None:
    assert stood(first()) == Footing(
        PYTHON,
        (
            Function(f"{MODULE}:twin", frames.fingerprint(first)),
            Function(f"{MODULE}:deep", frames.fingerprint(deep)),
        ),
    )
    assert stood(deep(5)) == Footing(
        PYTHON, (Function(f"{MODULE}:deep", frames.fingerprint(deep)),)
    )
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" == PYTHON


def test_the_second_of_a_name_is_another() -> None:
    assert stood(twin()) == Footing(
        PYTHON, (Function(f"{MODULE}:twin#2", frames.fingerprint(twin)),)
    )


def test_what_a_process_has_is_named_as_what_a_snapshot_stands_on() -> None:
    here = functions_here({MODULE})
    for coroutine in (first(), deep(2), twin()):
        found = stood(coroutine)
        assert found is not None
        assert all(here[one.name] == one.fingerprint for one in found.functions)


def test_a_story_that_is_too_long_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footing, "FOOTING_AT_MOST", 1)
    assert stood(deep(1)) is not None
    assert stood(first()) is None
    monkeypatch.setattr(footing, "FUNCTION_NAME_AT_MOST", len(MODULE) + 4)
    assert stood(deep(1)) is None


def test_the_modules_of_the_tasks_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footing, "FUNCTIONS_AT_MOST", 2)
    assert list(functions_here({MODULE})) == [f"{MODULE}:asked", f"{MODULE}:deep"]
    elsewhere = saved_tasks.__name__
    found = functions_here({elsewhere})
    assert len(found) == 2
    assert all(name.startswith(f"{elsewhere}:") for name in found)


@task
async def asked() -> int:
    return await answer.wait().unwrap()


def test_a_registration_tells_of_them() -> None:
    found = registry.registration([asked])
    assert found.python == PYTHON
    assert found.functions[f"{MODULE}:asked"] == frames.fingerprint(asked.fn)


async def test_a_run_that_has_left_is_told_of() -> None:
    async with local(asked, snapshot="always") as h:
        handle = await asked.trigger()
        await h.settle()
        view = await h.api.retrieve(handle.id)
        assert view.code
        assert view.code.fits == "same"
        listed = await h.api.listing()
        assert listed is not None
        assert not listed.functions
        newer = await asyncio.to_thread(registry.registration, [asked])
        changed = {**newer.functions, f"{MODULE}:asked": "00"}
        await h.api.register(msgspec.structs.replace(newer, version="2", functions=changed))
        view = await h.api.retrieve(handle.id)
        assert view.code
        assert view.code.why == (
            f"asked() in {MODULE} has changed since it was saved: the newest code replays 0 entries"
        )
