"""What every `Api` promises about tokens of streams: each shows a message, and takes nothing."""

from __future__ import annotations

import pytest

from headrace.errors import BadRequest, Mistake, NotFound
from headrace.ports import Api
from headrace.testing.contracts.declared import ANSWER, Declared, order
from headrace.testing.contracts.puppet import working
from headrace.wire.channel import Completed, Ended, Standing, Told
from headrace.wire.tokenviews import StreamTokenOrder, TokenOrder, TokenQuery, TokenView


class StreamTokensApiContract(Declared):
    """What can be done with tokens of streams."""

    async def test_the_next_message_completes_it(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        made = await known.token_of_stream(run, StreamTokenOrder(stream_id="notes", tags="a"))
        waiting = await known.retrieve_token(made.waitpoint_id)
        assert (waiting.status, waiting.tags, made.is_cached) == ("WAITING", ["a"], False)
        assert waiting.url.endswith("/callback/unknown")
        for text in (b'"first"', b'"second"'):
            await known.send(run, "notes", text)
        done = await known.retrieve_token(made.waitpoint_id)
        assert (done.status, done.output, done.output_type) == (
            "COMPLETED",
            '"first"',
            "application/json",
        )
        assert done.completed_at
        assert done.output_is_error is False

    async def test_it_shows_the_message_behind_the_last_that_is_known(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        for n in range(3):
            await known.send(run, "notes", b"%d" % n)
        for last, wanted in ((None, "0"), (-1, "0"), (1, "2"), (2, None)):
            view = await _token(known, run, last_seq_num=last)
            assert (view.output or None) == wanted

    async def test_it_takes_nothing_from_the_run(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        token = await _token(known, run, stream_id="approval")
        async with working(known, "publish") as puppet:
            held = await puppet.assigned(run)
            puppet.post(Standing(run, held.epoch, "0/q#0", stream="approval"))
            assert (await known.send(run, "approval", ANSWER)).resumed
            (entry,) = (await puppet.pushed(Told, run)).entries
            assert (entry.seq, entry.body) == (0, ANSWER)
            assert (await known.retrieve_token(token.id)).output == ANSWER.decode()
            puppet.post(Completed(run, held.epoch, b""))
            await puppet.pushed(Ended, run)
        assert (await known.retrieve_token(token.id)).output == ANSWER.decode()

    async def test_what_comes_after_its_time_does_not_count(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        token = await _token(known, run, timeout="0s")
        assert (token.status, token.output_is_error) == ("TIMED_OUT", True)
        await known.send(run, "notes", b"1")
        assert await known.retrieve_token(token.id) == token

    async def test_its_key_is_one_of_the_stream(self, known: Api) -> None:
        runs = [(await known.trigger("publish", order())).id for _ in range(2)]
        plain = await known.create_token(TokenOrder(idempotency_key="k"))
        made = {plain.id}
        for run in runs:
            for stream in ("notes", "approval"):
                keyed = StreamTokenOrder(stream_id=stream, idempotency_key="k")
                first = await known.token_of_stream(run, keyed)
                again = await known.token_of_stream(run, keyed)
                assert (again.waitpoint_id, again.is_cached) == (first.waitpoint_id, True)
                assert (first.waitpoint_id in made, first.is_cached) == (False, False)
                made.add(first.waitpoint_id)
        page = await known.list_tokens(TokenQuery(key="k"))
        assert {view.id for view in page.data} == made

    async def test_the_same_call_again_makes_no_other(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        asked = StreamTokenOrder(stream_id="notes")
        first = await known.token_of_stream(run, asked, request_key="once")
        assert await known.token_of_stream(run, asked, request_key="once") == first
        assert await known.token_of_stream(run, asked, request_key="twice") != first

    async def test_lists_show_how_they_stand(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        await known.send(run, "notes", b"1")
        late, done, ours = [
            await _token(known, run, **asked)
            for asked in ({"last_seq_num": 0, "timeout": "0s"}, {}, {"last_seq_num": 0})
        ]
        plain = (await known.create_token(TokenOrder())).id

        async def ids(**asked: object) -> list[str]:
            query = TokenQuery(**asked)  # type: ignore[arg-type] # names of its fields
            return [view.id for view in (await known.list_tokens(query)).data]

        assert await ids() == [plain, ours.id, done.id, late.id]
        assert await ids(status=("COMPLETED",)) == [done.id]
        assert await ids(status=("TIMED_OUT",)) == [late.id]
        assert await ids(status=("TIMED_OUT",), size=1) == [late.id]
        assert await ids(status=("WAITING",)) == [plain, ours.id]
        assert await ids(status=("WAITING", "TIMED_OUT"), size=2) == [plain, ours.id]
        assert await ids(status=("WAITING", "TIMED_OUT"), size=2, after=ours.id) == [late.id]
        assert await ids(status=("COMPLETED", "WAITING"), size=1, before=late.id) == [done.id]
        assert await ids(status=("WAITING",), size=1, before=late.id) == [ours.id]

    async def test_nobody_completes_it_by_hand(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        token = await _token(known, run)
        with pytest.raises(Mistake, match="input stream 'notes'") as refused:
            await known.complete_token(token.id, b"1")
        assert "Send to the stream" in refused.value.hint
        assert (await known.retrieve_token(token.id)).status == "WAITING"

    async def test_no_run_waits_for_it(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        token = await _token(known, run)
        async with working(known, "publish") as puppet:
            held = await puppet.assigned(run)
            puppet.post(Standing(run, held.epoch, "0/token#0", token=token.id))
            (entry,) = (await puppet.pushed(Told, run)).entries
            assert (entry.kind, entry.ending) == ("take", "failure")
            assert b"wait on the stream itself" in entry.body
            puppet.post(Completed(run, held.epoch, b""))
            await puppet.pushed(Ended, run)

    async def test_what_cannot_be_awaited_is_refused(self, known: Api) -> None:
        run = (await known.trigger("publish", order())).id
        for name, stream in ((run, "nothing"), (run, "progress"), ("run_nobody", "notes")):
            with pytest.raises(NotFound):
                await known.token_of_stream(name, StreamTokenOrder(stream_id=stream))
        for last in (-2, 2**53):
            with pytest.raises(BadRequest, match="lastSeqNum"):
                await _token(known, run, last_seq_num=last)
        with pytest.raises(BadRequest, match="soon"):
            await _token(known, run, timeout="soon")
        with pytest.raises(Mistake, match="at most 10 tags"):
            await _token(known, run, tags=[f"t{n}" for n in range(11)])
        assert not (await known.list_tokens(TokenQuery())).data


async def _token(api: Api, run: str, **asked: object) -> TokenView:
    """Make one and look at it."""
    wanted = StreamTokenOrder(**({"stream_id": "notes"} | asked))  # type: ignore[arg-type] # names of its fields
    made = await api.token_of_stream(run, wanted)
    return await api.retrieve_token(made.waitpoint_id)
