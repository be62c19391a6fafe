"""Tokens of streams at the moment at which their time is over."""

from __future__ import annotations

import asyncio

from headrace.wire.tokenviews import StreamTokenOrder, TokenQuery
from tests.engine.gates import Gates
from tests.engine.house import House

SOON = StreamTokenOrder(stream_id="notes", timeout="1s")


async def test_a_message_counts_by_the_instant_at_which_it_was_appended(house: House) -> None:
    run = await house.start()
    first = (await house.api.token_of_stream(run, SOON)).waitpoint_id
    await house.pass_time(999)
    await house.api.send(run, "notes", b"0")
    await house.pass_time(1)
    assert (await house.api.retrieve_token(first)).output == "0"

    behind = StreamTokenOrder(stream_id="notes", timeout="1s", last_seq_num=0)
    second = (await house.api.token_of_stream(run, behind)).waitpoint_id
    await house.pass_time(1_000)
    await house.api.send(run, "notes", b"1")
    assert (await house.api.retrieve_token(second)).status == "TIMED_OUT"
    shown = {view.id: view.status for view in (await house.api.list_tokens(TokenQuery())).data}
    assert shown == {first: "COMPLETED", second: "TIMED_OUT"}


async def test_a_send_that_is_under_way_at_the_deadline_is_waited_for(
    troubled: tuple[House, Gates],
) -> None:
    """What has been seen timed out must never be seen completed."""
    house, gates = troubled
    run = await house.start()
    token = (await house.api.token_of_stream(run, SOON)).waitpoint_id
    gates.may_write.clear()
    async with asyncio.TaskGroup() as group:
        sent = group.create_task(house.api.send(run, "notes", b"1"))
        await house.until(lambda: gates.held_up == 1)
        house.clock.advance(1_000)
        seen = group.create_task(house.api.retrieve_token(token))
        listed = group.create_task(house.api.list_tokens(TokenQuery(status=("TIMED_OUT",))))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not seen.done()
        assert not listed.done()
        gates.may_write.set()
    assert sent.result().seq == 0
    assert (seen.result().status, seen.result().output) == ("COMPLETED", "1")
    assert listed.result().data == []


async def test_a_send_costs_no_more_for_a_token(troubled: tuple[House, Gates]) -> None:
    house, gates = troubled
    costs: list[int] = []
    for tokens in (0, 3):
        run = await house.start()
        for _ in range(tokens):
            await house.api.token_of_stream(run, SOON)
        await house.rest()
        before = gates.writes
        await house.api.send(run, "notes", b"1")
        costs.append(gates.writes - before)
    assert costs[0] == costs[1]
