"""Tokens with a number of uses: so often, whoever asks at once, and a retry is none."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from headrace.wire.keys import PublicTokenOrder
from tests.server.house import House, Said

UUID = "5f0f9d2e-0000-4000-8000-00000000000"


class Sender:
    """Sends to one run with one token."""

    def __init__(self, home: House, run: str, token: str) -> None:
        self._home, self._run, self.token = home, run, token

    async def send(
        self, data: str = "1", *, stream: str = "notes", retry: str = "", key: str = ""
    ) -> Said:
        headers = {"x_trigger_request_idempotency_key": retry, "idempotency_key": key}
        return await self._home.ask(
            "POST",
            f"/realtime/v1/streams/{self._run}/input/{stream}",
            b'{"data":%s}' % data.encode(),
            key=self.token,
            **{name: value for name, value in headers.items() if value},
        )

    async def unread(self) -> int:
        """Return how many messages have arrived."""
        view = await self._home.api.retrieve(self._run)
        return sum(view.unread.values())


@pytest.fixture
async def twice(home: House) -> Sender:
    """One that may send twice, and read as often as it likes."""
    run = await home.run()
    scopes = [f"write:inputStreams:{run}", f"read:runs:{run}", "trigger:tasks", f"write:runs:{run}"]
    order = PublicTokenOrder(scopes=scopes, uses=2)
    return Sender(home, run, (await home.api.public_token(order)).token)


async def test_it_sends_so_often_and_no_more(twice: Sender) -> None:
    told = [await twice.send() for _ in range(4)]

    assert [said.status for said in told] == [200, 200, 422, 422]
    assert "used up" in str(told[-1].json["error"])
    assert await twice.unread() == 2


async def test_of_many_at_once_no_more_get_through(twice: Sender) -> None:
    told = await asyncio.gather(*[twice.send(str(n)) for n in range(20)])

    assert Counter(said.status for said in told) == {200: 2, 422: 18}
    assert await twice.unread() == 2


async def test_a_retry_of_the_same_request_is_no_use(twice: Sender) -> None:
    told = [await twice.send(retry=UUID + "1") for _ in range(5)]
    assert [(said.status, said.json["duplicate"]) for said in told] == [
        (200, False),
        *[(200, True)] * 4,
    ]
    assert (await twice.send(retry=UUID + "2")).status == 200
    assert (await twice.send(retry=UUID + "3")).status == 422
    assert (await twice.send(retry=UUID + "1")).status == 200
    assert await twice.unread() == 2


@pytest.mark.parametrize("different", ["key", "stream"])
async def test_the_name_of_a_retry_is_good_for_one_message(twice: Sender, different: str) -> None:
    """Else one name would carry any number of messages past the count."""
    told = [
        await twice.send(retry=UUID + "1", **{different: value})
        for value in ("notes", "signed", "approval", "none")
    ]
    assert Counter(said.status for said in told)[200] <= 2
    assert await twice.unread() <= 2


async def test_the_same_name_with_another_body_is_refused(twice: Sender) -> None:
    assert (await twice.send("1", retry=UUID + "1")).status == 200
    assert (await twice.send("2", retry=UUID + "1")).status == 422
    assert await twice.unread() == 1


async def test_what_is_refused_is_no_use(twice: Sender) -> None:
    for stream, data, status in (
        ("approval", "1", 422),
        ("nowhere", "1", 404),
        ("notes", "{", 400),
    ):
        for _ in range(3):
            assert (await twice.send(data, stream=stream)).status == status
    assert [(await twice.send()).status for _ in range(3)] == [200, 200, 422]


async def test_a_good_and_a_bad_request_of_one_name_are_one_use(twice: Sender) -> None:
    for n in range(4):
        name = UUID + str(n)
        await asyncio.gather(twice.send("{", retry=name), twice.send("1", retry=name))
    assert await twice.unread() <= 2


async def test_reading_is_not_counted(home: House, twice: Sender) -> None:
    run = await home.run()
    for _ in range(5):
        status = (await home.ask("GET", f"/api/v3/runs/{run}", key=twice.token)).status
        assert status == 403
    assert [(await twice.send()).status for _ in range(3)] == [200, 200, 422]


async def test_starting_runs_is_counted(home: House, twice: Sender) -> None:
    asked = [
        await home.ask(
            "POST", "/api/v1/tasks/publish/trigger", b"{}", key=twice.token,
            x_trigger_request_idempotency_key=UUID + name,
        )
        for name in "11123"
    ]  # fmt: skip
    assert [said.status for said in asked] == [200, 200, 200, 200, 422]
    assert len({said.json.get("id") for said in asked[:4]}) == 2


async def test_another_token_has_uses_of_its_own(home: House, twice: Sender) -> None:
    await asyncio.gather(*[twice.send() for _ in range(3)])
    order = PublicTokenOrder(scopes=["write:inputStreams"], uses=1)
    other = (await home.api.public_token(order)).token
    run = await home.run()
    told = [(await Sender(home, run, other).send()).status for _ in range(2)]
    assert told == [200, 422]
