"""What a run does with tokens, each way also replayed at every wait, and saved at every wait."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from headrace import Ok, TimedOut, Token, runs, task, wait
from headrace.errors import BadRequest, BadValue, NotFound, OutsideRun, RunFailed, WaitTimeout
from headrace.testing import Harness
from headrace.wire.tokenviews import TokenQuery
from tests.sdk.given import seen


class Verdict(BaseModel):
    approved: bool


@dataclass
class Paid:
    amount: int


@task
async def asks(token: str) -> str:
    seen.append("asked")
    match await wait.for_token(token, Verdict, keep_warm=0):
        case Ok(output=verdict):
            return "yes" if verdict.approved else "no"
        case TimedOut(error=error):
            return str(error)


@task
def asks_plainly(token: str) -> str:
    seen.append("asked")
    answer = wait.sync.for_token(token, Verdict)
    return ("yes" if answer.output.approved else "no") if answer else str(answer.error)


@task
async def makes() -> tuple[str, int]:
    token = await wait.create_token(timeout="1h", tags=["invoice"])
    assert token.url.partition("/api/")[2]
    assert token.public_token == ""
    seen.append(token.id)
    return token.id, (await wait.for_token(token, Paid).unwrap()).amount


@pytest.mark.parametrize("asks", [asks, asks_plainly], ids=["async", "plain"])
async def test_a_run_waits_for_a_token(h: Harness, asks: Any) -> None:
    token = await wait.create_token()
    handle = await asks.trigger(token.id)
    (waiting,) = await h.waits(handle)
    assert waiting.token == token.id
    assert not waiting.stream
    assert not waiting.until
    await h.advance("400d")
    await wait.complete_token(token, Verdict(approved=True))
    await h.settle()
    assert await handle.result() == "yes"


async def test_what_was_completed_before_anybody_waits_counts(h: Harness) -> None:
    token = await wait.create_token(timeout="1m")
    await wait.complete_token(token.id, {"approved": False})
    await h.advance("2m")
    assert await h.run(asks, token.id) == "no"


@pytest.mark.parametrize("asks", [asks, asks_plainly], ids=["async", "plain"])
async def test_a_wait_ends_with_the_token(h: Harness, asks: Any) -> None:
    token = await wait.create_token(timeout="1h")
    handle = await asks.trigger(token.id)
    (waiting,) = await h.waits(handle)
    assert waiting.until == "2023-11-14T23:13:20.000Z"
    await h.advance("59m")
    assert (await runs.retrieve(handle)).status == "WAITING"
    await h.advance("1m")
    assert await handle.result() == f"{token.id} was not completed in its time"
    await wait.complete_token(token, Verdict(approved=True))
    assert (await h.api.retrieve_token(token.id)).status == "TIMED_OUT"


async def test_a_token_that_a_run_makes_is_the_same_on_replay(h: Harness) -> None:
    handle = await makes.trigger()
    (waiting,) = await h.waits(handle)
    (only,) = (await h.api.list_tokens(TokenQuery(tag=("invoice",)))).data
    assert only.id == waiting.token
    await wait.complete_token(only.id, Paid(7))
    await h.settle()
    assert await handle.result() == (only.id, 7)
    assert set(seen) == {only.id}


@task
async def several(tokens: list[str]) -> list[int]:
    async def one(token: str) -> int:
        return (await wait.for_token(token, int)).unwrap()

    both = await asyncio.gather(*(one(token) for token in tokens))
    return [*both, await one(tokens[0])]


async def test_a_value_is_for_every_branch_and_every_time(h: Harness) -> None:
    first, second = await wait.create_token(), await wait.create_token()
    handle = await several.trigger([first.id, second.id, first.id])
    other = await several.trigger([first.id])
    await wait.complete_token(first, 1)
    await h.settle()
    assert await other.result() == [1, 1]
    assert (await runs.retrieve(handle)).status == "WAITING"
    await wait.complete_token(second, 2)
    await h.settle()
    assert await handle.result() == [1, 2, 1, 1]


async def test_the_first_value_stays(h: Harness) -> None:
    token = await wait.create_token()
    await wait.complete_token(token, Verdict(approved=True))
    await wait.complete_token(token, Verdict(approved=False))
    assert await h.run(asks, token.id) == "yes"


@task
async def completes(token: str) -> None:
    seen.append("completes")
    await wait.complete_token(token, {"approved": True}, Verdict)
    await wait.for_("1m")


async def test_a_run_completes_the_token_of_another(h: Harness) -> None:
    token = await wait.create_token()
    handle = await asks.trigger(token.id)
    await h.run(completes, token.id)
    assert await handle.result() == "yes"


@task
async def unwraps_value(token: str) -> str:
    try:
        return str((await wait.for_token(token, Verdict, timeout="1m").unwrap()).approved)
    except WaitTimeout as error:
        return str(error)


async def test_a_wait_of_its_own_time_ends_before_the_token(h: Harness) -> None:
    token = await wait.create_token(until=datetime(2030, 1, 1, tzinfo=UTC))
    assert await h.run(unwraps_value, token.id) == f"{token.id} was not completed within 1m"
    assert (await h.api.retrieve_token(token.id)).status == "WAITING"
    await wait.complete_token(token, Verdict(approved=True))
    assert await h.run(unwraps_value, token.id) == "True"


@task
async def demands(token: str) -> str:
    try:
        await wait.for_token(token, int)
    except BadValue as error:
        await wait.for_("1h")
        return error.message
    return "?"


async def test_a_value_of_another_type_is_raised(h: Harness) -> None:
    token = await wait.create_token()
    handle = await demands.trigger(token.id)
    await h.settle()
    await wait.complete_token(token, "x")
    await h.advance("1h")
    assert "value of waitpoint_" in await handle.result()


async def test_a_token_that_is_not_there_fails_who_waits_for_it(h: Harness) -> None:
    with pytest.raises(RunFailed, match="there is no token 'waitpoint_0'"):
        await h.run(asks, "waitpoint_0")
    with pytest.raises(RunFailed, match="'token_1' is no token"):
        await h.run(asks, "token_1")
    with pytest.raises(NotFound):
        await wait.complete_token("waitpoint_0", 1)
    with pytest.raises(OutsideRun):
        await wait.for_token("waitpoint_0")
    with pytest.raises(BadRequest, match="both timeout= and until="):
        await wait.create_token(timeout=1, until=datetime(2030, 1, 1, tzinfo=UTC))


async def test_the_same_key_gives_the_same_token(h: Harness) -> None:
    first = await wait.create_token(idempotency_key="a", idempotency_key_ttl="1h")
    again = await wait.create_token(idempotency_key="a")
    assert again == Token(first.id, first.url, first.public_token, is_cached=True)
    assert not first.is_cached
    await h.advance("1h")
    assert (await wait.create_token(idempotency_key="a")).id != first.id


async def test_a_token_without_a_value_gives_none(h: Harness) -> None:
    token = await wait.create_token()
    await h.api.complete_token(token.id, b"")
    assert await h.run(gives, token.id) is None


@task
async def gives(token: str) -> Any:
    return await wait.for_token(token).unwrap()


async def test_a_run_that_is_cancelled_waits_no_more(h: Harness) -> None:
    token = await wait.create_token()
    handle = await asks.trigger(token.id)
    await h.settle()
    await handle.cancel()
    await h.settle()
    await wait.complete_token(token, Verdict(approved=True))
    await h.settle()
    assert (await runs.retrieve(handle)).status == "CANCELED"
