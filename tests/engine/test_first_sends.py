"""A message that comes for the first time is not looked up: its append says if its key is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from headrace.engine.repeats import EXPECTED_MS
from headrace.errors import BadValue, KeyReused, NotFound, RunIsOver
from headrace.kernel.model import RunId, inward
from tests.engine.house import House
from tests.engine.worker import attached


@pytest.fixture
def asked(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of streams and journals."""
    calls = list[str]()
    _note(monkeypatch, house.stores.streams, "known", calls)
    _note(monkeypatch, house.stores.runs, "journal", calls)
    return calls


def _note(patch: pytest.MonkeyPatch, port: object, verb: str, calls: list[str]) -> None:
    inner: Callable[..., Any] = getattr(type(port), verb)

    def noted(*args: object) -> object:
        calls.append(verb)
        return inner(*args)

    patch.setattr(type(port), verb, noted)


async def test_it_is_not_looked_up(house: House, asked: Sequence[str]) -> None:
    run = await house.start()
    for number in range(3):
        assert (await house.api.send(run, "notes", b"1", key=f"{number}")).seq == number
    assert asked == []


async def test_one_that_is_sent_again_is_looked_up_and_no_journal_is_read(
    house: House, asked: Sequence[str]
) -> None:
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        for number in range(3):
            job.step(f"/{number}")
        await house.rest()
        first = await house.api.send(job.run, "notes", b"1", key="a")
        again = await house.api.send(job.run, "notes", b"1", key="a")
        assert (again.seq, again.duplicate) == (first.seq, True)
        assert asked == ["known"]
        with pytest.raises(KeyReused):
            await house.api.send(job.run, "notes", b"2", key="a")
        assert "journal" not in asked


async def test_while_others_send_again_it_is_looked_up_first(
    house: House, asked: Sequence[str]
) -> None:
    """A repeat undoes the group of writes that it is in: many of them would cost much."""
    run = await house.start()
    for key in "aba":
        await house.api.send(run, "notes", b"1", key=key)
    assert asked == ["known"]
    await house.api.send(run, "notes", b"1", key="c")
    assert asked == ["known", "known"]
    await house.pass_time(EXPECTED_MS)
    await house.api.send(run, "notes", b"1", key="d")
    assert asked == ["known", "known"]


async def test_a_known_key_comes_before_every_refusal(house: House) -> None:
    run = await house.start()
    await house.api.send(run, "numbers", b"1", key="a")
    again = await house.api.send(run, "numbers", b"1", key="a")
    assert again.duplicate
    await house.pass_time(EXPECTED_MS)
    with pytest.raises(KeyReused):  # not BadValue
        await house.api.send(run, "numbers", b'"x"', key="a")
    await house.pass_time(EXPECTED_MS)
    with pytest.raises(BadValue):
        await house.api.send(run, "numbers", b'"x"', key="b")
    with pytest.raises(NotFound):
        await house.api.send(run, "unheard", b"1", key="a")
    await house.api.cancel(run)
    await house.pass_time(EXPECTED_MS)
    assert (await house.api.send(run, "numbers", b"1", key="a")).duplicate
    with pytest.raises(RunIsOver):
        await house.api.send(run, "numbers", b"1", key="b")


async def test_of_many_at_once_each_key_is_one_record(house: House) -> None:
    run = await house.start()
    sends = [house.api.send(run, "notes", b"1", key=f"{n % 5}") for n in range(50)]
    receipts = await asyncio.gather(*sends)
    assert sum(not receipt.duplicate for receipt in receipts) == 5
    found = await house.stores.streams.read(RunId(run), inward("notes"), 0, 99)
    assert len(found) == 5
