"""Faults 8 to 12: what goes wrong elsewhere between a send and the run that waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest

from headrace.errors import BadRequest
from headrace.kernel.model import RunId, inward
from headrace.ports import Draft
from headrace.wire.tokenviews import TokenOrder
from tests.faults import jobs
from tests.faults.site import Site, log_of
from tests.server.house import KEY, House, Said

TOKENS = "/api/v1/waitpoints/tokens"
RETRIED = {"x_trigger_request_idempotency_key": "8b2c0a52-6a3e-4c3f-9b52-0d5f3b0f8a11"}


def path(run: str, stream: str = jobs.news.id) -> str:
    return f"/realtime/v1/streams/{run}/input/{stream}"


# --- 8: many senders, one wait -------------------------------------------------------------------


async def test_fault_8_concurrent_sends_are_read_in_the_order_of_the_log(either: Site) -> None:
    """Of two sends at once, the one that comes second answers the wait with what it has sent."""
    run = await either.start(jobs.waits_only, 30)
    await either.waiting(run)
    receipts = await asyncio.gather(*(either.send(run, number) for number in range(30)))
    sent = {receipt.seq: number for number, receipt in enumerate(receipts)}
    assert await either.result(run) == [sent[seq] for seq in range(30)]


async def test_fault_8_a_send_does_not_overtake_what_is_in_the_log(site: Site) -> None:
    """What another server has appended before is passed over, and never delivered."""
    run = await site.start(jobs.waits_only, 2)
    await site.waiting(run)
    theirs = Draft(RunId(run), inward(jobs.news.id), 0, b"7", site.home.clock.now(), b"k")
    await site.home.stores.streams.append(theirs)
    assert (await site.send(run, 8)).seq == 1
    assert await site.result(run) == [7, 8]


async def test_fault_8_a_message_that_answers_a_wait_answers_no_other(site: Site) -> None:
    """The next wait gets once more what the last one was answered with."""
    run = await site.start(jobs.waits_only, 2)
    await site.waiting(run)
    first = await asyncio.gather(*(site.send(run, 5, key="one") for _ in range(8)))
    assert sorted(receipt.duplicate for receipt in first) == [False, *[True] * 7]
    assert (await site.waiting(run)).unread == {}
    await site.send(run, 6)
    assert await site.result(run) == [5, 6]


# --- 9, 10: who waits ----------------------------------------------------------------------------


async def test_fault_9_the_end_of_a_wait_ends_no_other_wait(either: Site) -> None:
    """Whoever ends a wait deletes the note of the one that has come meanwhile: nobody wakes it."""
    run = await either.start(jobs.two_branches)
    await either.waiting(run, jobs.news.id, 2)
    assert (await either.send(run, 0)).resumed
    await either.waiting(run, jobs.news.id, 1)
    assert (await either.send(run, 1)).resumed
    assert await either.result(run) == [0, 1]


async def test_fault_9_each_wait_of_many_in_a_row_is_woken(either: Site) -> None:
    """A wait that begins while the send that ended the last one is under way is forgotten."""
    run = await either.start(jobs.waits_only, 12)
    for number in range(12):
        await either.waiting(run)
        assert (await either.send(run, number)).resumed
    assert await either.result(run) == list(range(12))


async def test_fault_10_two_waits_get_a_message_each(either: Site) -> None:
    """Of two waits on one stream the first is forgotten; or both are answered with one message."""
    run = await either.start(jobs.two_branches)
    await either.waiting(run, jobs.news.id, 2)
    await asyncio.gather(either.send(run, 0), either.send(run, 1))
    bodies = [int(record.body) for record in await log_of(either, run)]
    assert await either.result(run) == bodies


async def test_fault_10_two_waits_share_out_what_is_there(either: Site) -> None:
    """Where messages are there already, both waits are answered with the first."""
    run = await either.start(jobs.two_late_branches)
    for number in range(2):
        await either.send(run, number)
    jobs.latch.opened.set()
    assert await either.result(run) == [0, 1]


async def test_fault_10_a_token_wakes_all_that_wait_for_it(either: Site) -> None:
    """A waitpoint that is asked for again under its key takes the place of who waited before."""
    tokens = [(await either.api.create_token(TokenOrder(idempotency_key="k"))).id for _ in range(3)]
    runs = [await either.start(jobs.waits_for_token, token) for token in tokens]
    for run in runs:
        await either.waiting(run)
    await either.api.complete_token(tokens[0], b"4")
    assert [await either.result(run) for run in runs] == [4, 4, 4]


# --- 11: no cache decides who wakes --------------------------------------------------------------


async def test_fault_11_a_send_wakes_its_run_though_no_hint_gets_through(either: Site) -> None:
    """Without its cache a send is acknowledged, and the run sleeps on."""
    run = await either.start(jobs.waits_only, 2)
    await either.waiting(run)
    either.gates.hints_fail = True
    assert (await either.send(run, 0)).resumed
    either.gates.hints_fail = False
    await either.send(run, 1)
    assert await either.result(run) == [0, 1]


@pytest.mark.parametrize("how", ["wait", "once"])
async def test_fault_11_a_run_is_woken_after_a_year(either: Site, how: str) -> None:
    """After seven days, or some quiet minutes, nobody remembers who waits."""
    run = await either.start(jobs.asks_late, how)
    jobs.latch.opened.set()
    await (either.waiting(run) if how == "wait" else either.listening(run))
    known = either.desk(run).run
    assert known is not None
    assert [wait.deadline for wait in known.waits] == [None]
    await either.pass_time(365 * 86_400_000)
    assert (await either.send(run, 3)).resumed
    assert await either.result(run) == 3


@pytest.mark.parametrize("how", ["wait", "once"])
async def test_fault_11_what_was_sent_before_is_there(site: Site, how: str) -> None:
    """What was sent before a run waits is not noticed until somebody sends again."""
    run = await site.start(jobs.asks_late, how)
    await site.send(run, 3)
    jobs.latch.opened.set()
    assert await site.result(run) == 3


async def test_fault_11_a_log_that_cannot_be_read_is_read_again(site: Site) -> None:
    """Where the log cannot be read at the beginning of a wait, that counts as nothing in it."""
    run = await site.start(jobs.asks_late, "once")
    await site.send(run, 3)
    site.gates.is_blind = True
    jobs.latch.opened.set()
    await site.until(lambda: site.gates.missed > 0)
    site.gates.is_blind = False
    assert await site.result(run) == 3


# --- 12: a send says what came of it -------------------------------------------------------------


async def test_fault_12_a_send_that_is_repeated_counts_once(home: House) -> None:
    """A client that has lost the answer sends again, and the message is there twice."""
    run = await home.run()
    said = [await home.ask("POST", path(run, "notes"), b'{"data":1}', **RETRIED) for _ in "ab"]
    assert [one.json["duplicate"] for one in said] == [False, True]
    assert {one.json["seq"] for one in said} == {0}
    assert (await home.api.retrieve(run)).unread == {"notes": 1}


async def test_fault_12_what_fails_behind_the_append_is_made_good_by_the_retry(
    site: Site,
) -> None:
    """Where waking the run fails the answer is an error, and the message is sent again."""
    run = await site.start(jobs.waits_only, 2)
    await site.waiting(run)
    site.gates.fail_next(landed=True)
    said = [await site.home.ask("POST", path(run), b'{"data":5}', **RETRIED) for _ in "ab"]
    assert [one.status for one in said] == [503, 200]
    assert said[1].json["duplicate"] is True
    await site.send(run, 6)
    assert await site.result(run) == [5, 6]


@pytest.mark.parametrize("body", [b"", b"{", b"data=1", b"[1]", b'{"data":NaN}', b"\xff"])
async def test_fault_12_what_is_no_json_is_the_senders_mistake(home: House, body: bytes) -> None:
    """A body that is no JSON is a server error, which clients send again and again."""
    run = await home.run()
    said = await home.ask("POST", path(run, "notes"), body)
    assert (said.status, said.json["code"]) == (400, "bad_request")
    assert (await home.api.retrieve(run)).unread == {}


async def test_fault_12_a_body_may_come_in_pieces(home: House) -> None:
    """A body without its length is too large."""

    async def pieces() -> AsyncGenerator[bytes]:
        for piece in (b'{"da', b'ta":', b'"x"}'):
            yield piece

    run, headers = await home.run(), {"authorization": f"Bearer {KEY}"}
    url = home.url + path(run, "notes")
    async with home.http.post(url, data=pieces(), headers=headers) as response:
        assert response.status == 200
        assert "content-length" not in response.request_info.headers
    (record,) = await home.stores.streams.read(RunId(run), inward("notes"), 0, 9)
    assert record.body == b'"x"'


async def test_fault_12_what_a_run_does_not_read_any_more_is_refused(site: Site) -> None:
    """A run ends between the look at it and the append: what was acknowledged is never read."""
    run = await site.start(jobs.ends_when_told)
    await site.executing(run)
    core = site.home.engine._core  # pyright: ignore[reportPrivateUsage]  # a test may look inside
    desk, door = site.desk(run), asyncio.Event()

    async def hold(_sheet: object) -> None:
        await door.wait()

    held = core.post(RunId(run), hold)
    queued = desk._slips  # pyright: ignore[reportPrivateUsage]
    await site.until(lambda: not queued)
    jobs.latch.opened.set()
    await site.until(lambda: len(queued) == 1)
    async with asyncio.TaskGroup() as group:
        sent = group.create_task(site.home.ask("POST", path(run), b'{"data":1}'))
        await site.until(lambda: len(queued) == 2)
        door.set()
    await held
    assert (sent.result().status, sent.result().json["code"]) == (400, "run_is_over")
    assert await log_of(site, run) == []
    assert await site.result(run) == "over"


@pytest.mark.parametrize("text", ["5 minutes", "30", "soon", "-5m", ""])
async def test_fault_12_a_time_that_cannot_be_read_is_an_error(home: House, text: str) -> None:
    """A timeout that is not understood means none, without a word."""
    said = await home.ask("POST", TOKENS, b'{"timeout":"%s"}' % text.encode())
    assert (said.status, said.json["code"]) == (400, "bad_request")
    assert said.json["hint"]
    for ask in (jobs.news.wait, jobs.news.once):
        with pytest.raises(BadRequest):
            ask(timeout=text)


async def test_fault_12_a_moment_that_has_passed_is_over(site: Site) -> None:
    """A date in the past means no timeout at all."""
    said = await site.home.ask("POST", TOKENS, b'{"timeout":"2001-01-01T00:00:00Z"}')
    shown = await site.home.ask("GET", f"{TOKENS}/{said.json['id']}")
    assert shown.json["status"] == "TIMED_OUT"
    run = await site.start(jobs.waits_until, datetime(2001, 1, 1, tzinfo=UTC))
    assert await site.result(run) is False


async def test_fault_12_a_wrong_callback_is_refused(home: House) -> None:
    """A callback whose proof has the right length, but is no proof, is a server error."""
    token = (await home.api.create_token(TokenOrder())).id

    async def call_back(proof: str) -> Said:
        return await home.ask("POST", f"{TOKENS}/{token}/callback/{proof}", b"1", key="")

    for proof in ("z" * 64, "g" * 64, "%C3%A9" * 64, "0" * 64, "x"):
        assert (await call_back(proof)).status == 401
    assert (await home.api.retrieve_token(token)).status == "WAITING"
