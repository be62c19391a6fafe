"""What every `Api` promises about tokens: made, seen, completed once, for all that wait."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from msgspec import UNSET

from headrace.errors import BadRequest, Mistake, NotFound, TooLarge
from headrace.kernel.model import Entry
from headrace.ports import Api
from headrace.testing.contracts.declared import Declared, order
from headrace.testing.contracts.puppet import Puppet, working
from headrace.wire.channel import Assigned, Completed, Ended, Parked, Standing, Told
from headrace.wire.tokenviews import TOKEN_DATA, TokenOrder, TokenQuery

YES = b'{"approved":true}'
ADDRESS = re.compile(r".*/api/v1/waitpoints/tokens/(waitpoint_[0-9a-z]{26})/callback/[0-9a-f]{64}")


class TokensApiContract(Declared):
    """What can be done with tokens."""

    async def test_a_token_is_made_seen_and_completed(self, known: Api) -> None:
        made = await known.create_token(TokenOrder(tags=["a", "b"]))
        address = ADDRESS.fullmatch(made.url)
        assert address is not None
        assert address[1] == made.id
        assert not made.is_cached
        view = await known.retrieve_token(made.id)
        assert (view.id, view.url, view.status, view.tags) == (
            made.id,
            made.url,
            "WAITING",
            ["a", "b"],
        )
        unset = (view.timeout_at, view.completed_at, view.output, view.output_is_error)
        assert set(unset) == {UNSET}
        await known.complete_token(made.id, YES)
        done = await known.retrieve_token(made.id)
        assert (done.status, done.output, done.output_type) == (
            "COMPLETED",
            YES.decode(),
            "application/json",
        )
        assert done.completed_at
        assert done.output_is_error is False

    async def test_the_first_value_stays(self, known: Api) -> None:
        token = (await known.create_token(TokenOrder())).id
        await known.complete_token(token, b"1")
        first = await known.retrieve_token(token)
        await known.complete_token(token, b"2")
        assert await known.retrieve_token(token) == first

    async def test_a_token_without_a_value_has_none(self, known: Api) -> None:
        token = (await known.create_token(TokenOrder())).id
        await known.complete_token(token, b"")
        view = await known.retrieve_token(token)
        assert (view.status, bool(view.output)) == ("COMPLETED", False)

    async def test_a_token_ends_with_its_time(self, known: Api) -> None:
        token = (await known.create_token(TokenOrder(timeout="0s"))).id
        await known.complete_token(token, YES)
        view = await known.retrieve_token(token)
        assert (view.status, view.output_is_error) == ("TIMED_OUT", True)
        assert "in time" in (view.output or "")
        assert view.timeout_at == view.created_at
        assert not view.completed_at

    async def test_the_same_key_gives_the_same_token(self, known: Api) -> None:
        keyed = TokenOrder(idempotency_key="a", idempotency_key_ttl="1h")
        first = await known.create_token(keyed)
        await known.complete_token(first.id, YES)
        again = await known.create_token(TokenOrder(idempotency_key="a"))
        assert (again.id, again.url, again.is_cached) == (first.id, first.url, True)
        view = await known.retrieve_token(first.id)
        assert view.idempotency_key == "a"
        assert str(view.idempotency_key_expires_at) > view.created_at
        assert (await known.create_token(TokenOrder(idempotency_key="b"))).id != first.id

    async def test_a_call_that_is_made_again_makes_no_other(self, known: Api) -> None:
        first = await known.create_token(TokenOrder(), request_key="once")
        again = await known.create_token(TokenOrder(), request_key="once")
        assert (again.id, again.is_cached) == (first.id, False)
        assert (await known.create_token(TokenOrder(), request_key="twice")).id != first.id

    async def test_tokens_are_listed_the_newest_first(self, known: Api) -> None:
        made = [(await known.create_token(TokenOrder(tags=f"t{n}"))).id for n in range(3)]
        await known.complete_token(made[1], YES)
        page = await known.list_tokens(TokenQuery(size=2))
        assert [view.id for view in page.data] == made[:0:-1]
        assert not page.data[1].output
        assert not page.pagination.previous
        rest = await known.list_tokens(TokenQuery(size=2, after=page.pagination.next or None))
        assert [view.id for view in rest.data] == made[:1]
        assert (rest.pagination.previous, bool(rest.pagination.next)) == (made[0], False)
        back = await known.list_tokens(TokenQuery(size=2, before=made[0]))
        assert back.data == page.data

    async def test_lists_are_filtered(self, known: Api) -> None:
        made = [(await known.create_token(TokenOrder(tags=f"t{n}"))).id for n in range(2)]
        late = await known.create_token(TokenOrder(timeout="0s", idempotency_key="k"))
        await known.complete_token(made[0], YES)

        async def ids(query: TokenQuery) -> list[str]:
            return [view.id for view in (await known.list_tokens(query)).data]

        assert await ids(TokenQuery(status=("COMPLETED",))) == [made[0]]
        assert await ids(TokenQuery(status=("WAITING", "TIMED_OUT"))) == [late.id, made[1]]
        assert await ids(TokenQuery(tag=("t0", "t1"))) == made[::-1]
        assert await ids(TokenQuery(key="k")) == [late.id]
        assert await ids(TokenQuery(since=10**13)) == []
        assert len(await ids(TokenQuery(until=10**13, within_ms=3_600_000))) == 3

    @pytest.mark.parametrize(
        ("wanted", "why"),
        [
            (TokenOrder(timeout="5 minutes"), "5 minutes"),
            (TokenOrder(tags="x" * 129), "1 to 128"),
            (TokenOrder(idempotency_key="x" * 2_049), "2048"),
            (TokenOrder(idempotency_key="x", idempotency_key_ttl="soon"), "soon"),
        ],
        ids=["timeout", "tag", "key", "ttl"],
    )
    async def test_what_cannot_be_ordered_is_refused(
        self, known: Api, wanted: TokenOrder, why: str
    ) -> None:
        with pytest.raises(BadRequest, match=why):
            await known.create_token(wanted)
        assert not (await known.list_tokens(TokenQuery())).data

    async def test_too_many_tags_are_a_mistake(self, known: Api) -> None:
        with pytest.raises(Mistake, match="at most 10 tags") as raised:
            await known.create_token(TokenOrder(tags=[f"t{n}" for n in range(11)]))
        assert not isinstance(raised.value, BadRequest)
        assert not (await known.list_tokens(TokenQuery())).data

    async def test_a_value_that_is_too_large_is_refused(self, known: Api) -> None:
        token = (await known.create_token(TokenOrder())).id
        with pytest.raises(TooLarge):
            await known.complete_token(token, b'"%s"' % (b"x" * TOKEN_DATA))
        assert (await known.retrieve_token(token)).status == "WAITING"

    async def test_a_token_that_is_not_there_is_not_found(self, known: Api) -> None:
        for refused in (known.retrieve_token("waitpoint_1"), known.complete_token("a/b", b"1")):
            with pytest.raises(NotFound):
                await refused

    # --- runs that wait --------------------------------------------------------------------------

    async def test_a_run_waits_for_a_token(self, known: Api) -> None:
        token = (await known.create_token(TokenOrder(timeout="1h"))).id
        async with _waiting(known, token) as (puppet, held):
            view = await known.retrieve(held.run)
            (wait,) = view.waits
            assert (view.status, wait.token, bool(wait.stream)) == ("WAITING", token, False)
            assert wait.until == (await known.retrieve_token(token)).timeout_at
            await known.complete_token(token, YES)
            entry = await _told(puppet, held)
            assert (entry.kind, entry.ending, entry.seq, entry.body) == ("take", "value", 0, YES)
            assert (await known.retrieve(held.run)).status == "EXECUTING"
            await _finish(puppet, held)

    async def test_what_has_its_value_is_not_waited_for(self, known: Api) -> None:
        token = (await known.create_token(TokenOrder())).id
        await known.complete_token(token, b"")
        async with _waiting(known, token, parks=False) as (puppet, held):
            entry = await _told(puppet, held)
            assert (entry.ending, entry.body) == ("value", b"null")
            puppet.post(_standing(held, token, "0/token#1"))
            assert (await _told(puppet, held)).body == b"null"
            await _finish(puppet, held)

    async def test_a_wait_ends_with_its_token(self, known: Api) -> None:
        token = (await known.create_token(TokenOrder(timeout=0.05))).id
        async with _waiting(known, token, parks=False) as (puppet, held):
            assert (await _told(puppet, held)).ending == "timeout"
            await known.complete_token(token, YES)
            assert (await known.retrieve_token(token)).status == "TIMED_OUT"
            await _finish(puppet, held)

    async def test_a_value_is_for_all_that_wait(self, known: Api) -> None:
        token = (await known.create_token(TokenOrder())).id
        async with working(known, "publish") as puppet:
            runs = [(await known.trigger("publish", order())).id for _ in range(3)]
            helds = [await puppet.assigned(run) for run in runs]
            for held in helds:
                puppet.post(_standing(held, token), _standing(held, token, "1/token#0"))
                puppet.post(Parked(held.run, held.epoch))
                await _until_it_waits(known, held.run)
            await asyncio.gather(
                known.complete_token(token, b"1"), known.complete_token(token, b"2")
            )
            first = (await known.retrieve_token(token)).output
            for held in helds:
                told = await puppet.pushed(Told, held.run)
                assert [entry.body.decode() for entry in told.entries] == [first, first]
                await _finish(puppet, held)

    async def test_a_wait_for_nothing_fails(self, known: Api) -> None:
        async with _waiting(known, "waitpoint_nobody", parks=False) as (puppet, held):
            entry = await _told(puppet, held)
            assert (entry.kind, entry.ending) == ("take", "failure")
            assert b"not_found" in entry.body
            await _finish(puppet, held)


@asynccontextmanager
async def _waiting(
    api: Api, token: str, *, parks: bool = True
) -> AsyncGenerator[tuple[Puppet, Assigned]]:
    """Give a run that waits for the token, and its worker."""
    run = (await api.trigger("publish", order())).id
    async with working(api, "publish") as puppet:
        held = await puppet.assigned(run)
        puppet.post(_standing(held, token))
        if parks:
            puppet.post(Parked(run, held.epoch))
            await _until_it_waits(api, run)
        yield puppet, held


async def _until_it_waits(api: Api, run: str) -> None:
    async for view in api.subscribe(run):
        if view.status == "WAITING":
            return


def _standing(held: Assigned, token: str, key: str = "0/token#0") -> Standing:
    return Standing(held.run, held.epoch, key, token=token)


async def _told(puppet: Puppet, held: Assigned) -> Entry:
    (entry,) = (await puppet.pushed(Told, held.run)).entries
    return entry


async def _finish(puppet: Puppet, held: Assigned) -> None:
    puppet.post(Completed(held.run, held.epoch, b""))
    await puppet.pushed(Ended, held.run)
