"""Law 7: what is checked at the door, in this order; what is refused is not appended.

Each row asks for something that is wrong in one respect and in every later one: the first counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from headrace.engine import sends
from headrace.engine.sends import Crowded
from headrace.errors import (
    BadRequest,
    BadValue,
    Forbidden,
    HeadraceError,
    KeyReused,
    Mistake,
    NotFound,
    RunIsOver,
    TooLarge,
)
from headrace.kernel.model import RunId, inward
from headrace.wire.jsontext import MAX_DATA
from headrace.wire.views import Receipt
from tests.engine.house import DEV, House
from tests.engine.worker import attached, parked

HUGE = b'"' + b"x" * MAX_DATA + b'"'
NO_JSON = BadRequest("no JSON")
TOO_LARGE = TooLarge("the body has too many bytes to be read")
MOST = 3


@dataclass(frozen=True, slots=True)
class Row:
    """A send, and how it is refused. The stream `secret` takes numbers from trusted callers."""

    name: str
    error: type[HeadraceError]
    data: bytes | Mistake
    words: str | None = None
    run: str = ""
    stream: str = "secret"
    is_over: bool = False
    is_trusted: bool = True
    key: str = ""


ROWS = (
    Row("the run", NotFound, NO_JSON, "run_nobody", "run_nobody", "unheard", is_trusted=False),
    Row("a key with another body", KeyReused, HUGE, is_over=True, is_trusted=False, key="known"),
    Row("a key with no body", KeyReused, NO_JSON, is_over=True, is_trusted=False, key="known"),
    Row("its end", RunIsOver, NO_JSON, "canceled", stream="unheard", is_over=True),
    Row("the stream", NotFound, NO_JSON, "unheard", stream="unheard", is_trusted=False),
    Row("an output stream", NotFound, HUGE, "tokens", stream="tokens", is_trusted=False),
    Row("trust", Forbidden, HUGE, "trusted|secret", is_trusted=False),
    Row("size, found by the reader", TooLarge, TOO_LARGE),
    Row("size", TooLarge, HUGE, str(len(HUGE))),
    Row("JSON", BadRequest, NO_JSON, "no JSON"),
    Row("the schema", BadValue, b'"x"', "integer"),
    Row("the limits", Crowded, b"1", "3 unread"),
)


async def _filled(house: House) -> str:
    """Return a run whose stream is full, with one key known."""
    run = await house.start()
    for key in ("known", "a", "b"):
        await house.api.send(run, "secret", b"0", key=key)
    return run


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stream be full with three records; law 12 is tested with the true limits."""
    monkeypatch.setattr(sends, "UNREAD_AT_MOST", MOST)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_law_7_the_first_thing_that_is_wrong_counts(
    house: House, narrow: None, row: Row
) -> None:
    run = await _filled(house)
    if row.is_over:
        await house.api.cancel(run)
    api = house.engine.at(DEV, trusted=row.is_trusted)
    with pytest.raises(row.error, match=row.words) as refused:
        await api.send(row.run or run, row.stream, row.data, key=row.key)
    assert type(refused.value) is row.error
    log = await house.stores.streams.read(RunId(run), inward("secret"), 0, 99)
    assert [record.body for record in log] == [b"0"] * MOST


async def test_law_7_a_known_key_is_answered_before_anything_else_but_the_run(
    house: House, narrow: None
) -> None:
    """The run has ended, the caller is not trusted any more, and the stream is full."""
    run = await _filled(house)
    await house.api.cancel(run)
    api = house.engine.at(DEV, trusted=False)
    receipt = await api.send(run, "secret", b"0", key="known")
    assert receipt == Receipt(seq=0, duplicate=True, resumed=False)


async def test_law_7_the_rows_are_in_the_order_of_the_law() -> None:
    order: list[Callable[[Row], bool]] = [
        lambda row: row.run != "",
        lambda row: row.key != "",
        lambda row: row.is_over,
        lambda row: row.stream != "secret",
        lambda row: not row.is_trusted,
        lambda row: isinstance(row.data, TooLarge) or row.data == HUGE,
        lambda row: isinstance(row.data, BadRequest),
        lambda row: row.data == b'"x"',
    ]
    first = [next((n for n, wrong in enumerate(order) if wrong(row)), len(order)) for row in ROWS]
    assert first == sorted(first)
    assert set(first) == set(range(len(order) + 1))


async def test_law_7_a_refused_value_leaves_the_run_waiting(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        await parked(house, await worker.job(run), "numbers")
        with pytest.raises(BadValue):
            await house.api.send(run, "numbers", b'"x"')
        await house.rest()
        assert await house.status(run) == "WAITING"
        assert worker.unread() == []
        assert (await house.api.send(run, "numbers", b"7")).resumed


async def test_law_7_what_is_unread_at_the_end_is_shown(house: House) -> None:
    run = await house.start()
    for _ in range(3):
        await house.api.send(run, "notes", b"1")
    await house.api.cancel(run)
    assert (await house.api.retrieve(run)).unread == {"notes": 3}


async def test_law_7_a_send_that_meets_the_end_of_the_run_is_refused(house: House) -> None:
    """Both are asked for at the same time; whichever is decided first, the log agrees with it."""
    run = RunId(await house.start())
    core = house.core
    spec = await core.specs.stream(DEV, "notes")
    message = sends.Message(core, DEV, "notes", b"1", b"key", trusted=True, spec=spec)
    cancelled = house.api.cancel(run)
    answer = core.post(run, message)
    await cancelled
    assert (await answer) == Receipt(seq=0, duplicate=False, resumed=False)
    with pytest.raises(RunIsOver):
        await house.api.send(run, "notes", b"2")
    log = await house.stores.streams.read(run, inward("notes"), 0, 9)
    assert [record.body for record in log] == [b"1"]
