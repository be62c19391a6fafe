"""Limits of requests a minute, and what answers say of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headrace.server import Rates
from tests.server.house import KEY, OTHER_KEY, House, Said, house


@pytest.fixture
async def limited() -> AsyncIterator[House]:
    """Three requests a minute for a token, five for a key."""
    async with house(Rates(tokens=3, keys=5)) as opened:
        yield opened


def told(said: Said) -> tuple[int, int, int]:
    """Return what an answer says of the limit."""
    names = ("limit", "remaining", "reset")
    limit, left, reset = (int(said.headers[f"x-ratelimit-{name}"]) for name in names)
    return limit, left, reset


async def test_each_answer_says_what_is_left_and_the_last_when_to_come_again(
    limited: House,
) -> None:
    token, minute = limited.token("read:runs", ttl_ms=600_000), limited.clock.now() // 60_000 + 1
    asked = [await limited.ask("GET", "/api/v1/runs", key=token) for _ in range(5)]

    assert [said.status for said in asked] == [200, 200, 200, 429, 429]
    assert [told(said) for said in asked] == [
        (3, left, minute * 60_000) for left in (2, 1, 0, 0, 0)
    ]
    assert asked[-1].json["code"] == "throttled"
    assert 1 <= int(asked[-1].headers["retry-after"]) <= 60
    assert asked[-1].headers["access-control-allow-origin"] == "*"
    limited.clock.advance(minute * 60_000 - limited.clock.now())
    assert (await limited.ask("GET", "/api/v1/runs", key=token)).status == 200


async def test_every_caller_has_a_minute_of_his_own(limited: House) -> None:
    tokens = [limited.token("read:runs", f"read:tags:{n}") for n in range(3)]
    for key, limit in ((KEY, 5), (OTHER_KEY, 5), *((token, 3) for token in tokens)):
        asked = [(await limited.ask("GET", "/api/v1/runs", key=key)).status for _ in range(6)]
        assert asked == [200] * limit + [429] * (6 - limit)


async def test_what_is_refused_counts_and_says_so_as_well(limited: House) -> None:
    token = limited.token("read:tags:x")
    asked = [await limited.ask("GET", "/api/v1/runs", key=token) for _ in range(4)]

    assert [said.status for said in asked] == [403, 403, 403, 429]
    assert told(asked[0])[:2] == (3, 2)


async def test_streams_are_not_limited(limited: House) -> None:
    run, token = await limited.run(), limited.token("write:inputStreams")
    path = f"/realtime/v1/streams/{run}/input/notes"
    asked = [await limited.ask("POST", path, b'{"data":1}', key=token) for _ in range(9)]

    assert {said.status for said in asked} == {200}
    assert not any(name.startswith("x-ratelimit") for said in asked for name in said.headers)


async def test_who_is_not_let_in_takes_nothing_from_anybody(limited: House) -> None:
    for _ in range(9):
        assert (await limited.ask("GET", "/api/v1/runs", key=KEY + "x")).status == 401
    assert (await limited.ask("GET", "/api/v1/runs")).status == 200


async def test_without_a_limit_nothing_is_said(home: House) -> None:
    asked = [await home.ask("GET", "/api/v1/runs") for _ in range(9)]

    assert {said.status for said in asked} == {200}
    assert not any(name.startswith("x-ratelimit") for name in asked[-1].headers)
