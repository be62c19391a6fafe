"""A resource is opened once in each process, when it is first used, and saved as how to open it."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Any

import pytest

from headrace.frames.resources import resource
from headrace.frames.values import CannotSave, Dumper, Loader

OPENED: list[Client] = []


class Client:
    def __init__(self, name: str = "plain") -> None:
        self.name, self.closed = name, 0
        OPENED.append(self)

    def close(self) -> None:
        self.closed += 1


class Pool(Client):
    async def aclose(self) -> None:
        self.closed += 10


class Late(Client):
    async def close(self) -> None:  # type: ignore[override]  # as aiohttp does
        self.closed += 100


async def connect(name: str) -> Pool:
    await asyncio.sleep(0)
    return Pool(name)


@pytest.fixture(autouse=True)
def opened() -> list[Client]:
    OPENED.clear()
    return OPENED


def _again(value: Any) -> Any:
    dumper = Dumper()
    dumper.dump({"value": value})
    return Loader(dumper.blob()).load()["value"]


def test_it_opens_at_the_first_use_and_once(opened: list[Client]) -> None:
    handle = resource(Client)
    assert not handle.is_open
    assert opened == []
    assert handle.get() is handle.get() is opened[0]
    assert handle.is_open


def test_it_is_saved_as_how_to_open_it(opened: list[Client]) -> None:
    handle = resource(partial(Client, "named"))
    handle.get()
    one, two = _again([handle, handle])
    assert one is two
    assert not one.is_open
    assert one.get().name == "named"
    assert len(opened) == 2


def test_how_to_open_it_has_to_be_found_elsewhere() -> None:
    with pytest.raises(CannotSave, match=r"functools\.partial of one that is there"):
        _again(resource(lambda: 1))


class Wired(Client):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


def test_what_it_has_opened_says_to_keep_the_handle() -> None:
    handle = resource(Wired)
    with pytest.raises(CannotSave, match="keep the handle") as caught:
        _again([handle, handle.get()])
    assert caught.value.path == "value[1]"


def test_closing_lets_the_next_use_open_again(opened: list[Client]) -> None:
    handle = resource(Client)
    handle.close()
    assert opened == []
    with handle as same:
        assert same is handle
        handle.get()
    assert not handle.is_open
    assert handle.get() is not opened[0]
    assert [it.closed for it in opened] == [1, 0]


def test_what_has_nothing_to_close_is_let_go() -> None:
    handle = resource(list[int])
    handle.get().append(1)
    handle.close()
    assert handle.get() == []


@pytest.mark.anyio
async def test_awaiting_opens_what_opens_by_being_awaited() -> None:
    handle = resource(partial(connect, "late"))
    both = await asyncio.gather(handle, handle)
    assert both[0] is both[1] is await handle is handle.get()
    assert both[0].name == "late"
    plain = resource(Client)
    assert (await plain) is plain.get()


@pytest.mark.anyio
async def test_an_opening_that_fails_is_tried_again() -> None:
    tries: list[int] = []

    async def refused() -> int:
        tries.append(1)
        await asyncio.sleep(0)
        if len(tries) == 1:
            raise ConnectionError
        return 5

    handle = resource(refused)
    with pytest.raises(ConnectionError):
        await handle
    assert await handle == 5


@pytest.mark.anyio
async def test_closing_waits_for_what_closes_by_being_awaited() -> None:
    async with resource(Pool) as handle:
        pool = await handle
    assert pool.closed == 10
    late = resource(Late)
    value = late.get()
    await late.aclose()
    assert value.closed == 100
    plain = resource(Client)
    client = plain.get()
    await plain.aclose()
    await plain.aclose()
    assert client.closed == 1


def test_the_wrong_way_says_the_right_one() -> None:
    handle = resource(partial(connect, "x"))
    with pytest.raises(TypeError, match="opens by being awaited: write `await`"):
        handle.get()
    assert not handle.is_open
    late = resource(Late)
    late.get()
    with pytest.raises(TypeError, match="aclose"):
        late.close()


def test_it_says_what_it_is() -> None:
    handle = resource(Client)
    assert repr(handle) == "<resource Client, not open>"
    handle.get()
    assert repr(handle) == "<resource Client, open>"
    assert "connect" in repr(resource(partial(connect, "x")))
