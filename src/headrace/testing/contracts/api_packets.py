"""What every `Api` promises about values that are too large to go with a trigger."""

from __future__ import annotations

import json

import pytest
from msgspec import UNSET, Raw

from headrace.errors import BadRequest, BadValue, NotFound, TooLarge
from headrace.ports import Api, Packet
from headrace.testing.contracts.declared import Declared, order
from headrace.testing.contracts.puppet import working
from headrace.wire.channel import Completed, Ended
from headrace.wire.feeds import RunFeed
from headrace.wire.packets import INLINE, MOST
from headrace.wire.views import Large, RunQuery

KEY = "trigger/packet_1/payload.json"
PARTS: tuple[Large, ...] = ("payload", "output")
STORED = {"payloadType": "application/store"}


class PacketsApiContract(Declared):
    """Uploading, naming, getting back."""

    @pytest.mark.parametrize(
        ("kind", "body", "payload"),
        [
            ("application/json", b'{"a":[1]}', b'{"a":[1]}'),
            ("text/plain", "é".encode(), '"é"'.encode()),
            ("application/super+json", b'{"json":{"a":1}}', b'{"a":1}'),
        ],
    )
    async def test_a_trigger_names_what_was_uploaded(
        self, known: Api, kind: str, body: bytes, payload: bytes
    ) -> None:
        await known.upload(KEY, Packet(kind, body))
        assert await known.download(KEY) == Packet(kind, body)
        started = await known.trigger("a/b c", order(json.dumps(KEY).encode(), **STORED))
        view = await known.retrieve(started.id)
        assert isinstance(view.payload, Raw)
        assert bytes(view.payload) == payload

    async def test_the_same_key_again_replaces_it(self, known: Api) -> None:
        for body in (b"1", b"2"):
            await known.upload(KEY, Packet("application/json", body))
        assert (await known.download(KEY)).body == b"2"

    async def test_what_does_not_fit_starts_nothing(self, known: Api) -> None:
        named = order(json.dumps(KEY).encode(), **STORED)
        with pytest.raises(BadRequest, match="no packet"):
            await known.trigger("publish", named)
        await known.upload(KEY, Packet("application/json", b'"seven"'))
        with pytest.raises(BadValue, match="integer"):
            await known.trigger("publish", named)
        await known.upload(KEY, Packet("application/json", b"{"))
        with pytest.raises(BadRequest, match="JSON"):
            await known.trigger("publish", named)
        for odd in (b"5", b'""', b'"../secret"'):
            with pytest.raises(BadRequest):
                await known.trigger("publish", order(odd, **STORED))
        assert not (await known.list_runs(RunQuery())).data

    async def test_what_is_no_packet_is_refused(self, known: Api) -> None:
        for key in ("../x", "a/../b", "a//b", "/a", "a/", "a b", "a\nb", "x" * 513):
            with pytest.raises(BadRequest, match="no path"):
                await known.upload(key, Packet("application/json", b"1"))
        for kind in ("text/html", "application/store", ""):
            with pytest.raises(BadRequest, match="one of the types"):
                await known.upload(KEY, Packet(kind, b"1"))
        with pytest.raises(NotFound):
            await known.download(KEY)

    @pytest.mark.timeout(60)
    async def test_ten_megabytes_go_through_and_a_byte_more_does_not(self, known: Api) -> None:
        body = b'"' + b"x" * (MOST - 2) + b'"'
        started = await known.trigger("a/b c", order(body))
        assert await known.run_packet(started.id, "payload") == Packet("application/json", body)
        with pytest.raises(TooLarge):
            await known.trigger("a/b c", order(body[:-1] + b'x"'))

    # --- what is large in a run ----------------------------------------------------------------

    async def test_what_is_large_is_left_out_and_asked_for_by_itself(self, known: Api) -> None:
        for size, large in ((INLINE, ()), (INLINE + 1, ("payload", "output"))):
            body = b'"' + b"x" * (size - 2) + b'"'
            run = (await known.trigger("a/b c", order(body))).id
            await returning(known, run, body)
            view = await known.retrieve(run)
            assert (view.status, view.large) == ("COMPLETED", large)
            is_there = not large
            assert [isinstance(one, Raw) for one in (view.output, view.payload)] == [is_there] * 2
            whole = await known.whole(view)
            assert isinstance(whole.output, Raw)
            assert isinstance(whole.payload, Raw)
            assert (bytes(whole.output), bytes(whole.payload), whole.large) == (body, body, ())
            for name in PARTS:
                assert await known.run_packet(run, name) == Packet("application/json", body)

    async def test_lists_and_subscriptions_do_not_hold_it(self, known: Api) -> None:
        body = b'"' + b"x" * 5_000_000 + b'"'
        run = (await known.trigger("a/b c", order(body))).id
        await returning(known, run, body)
        async for view in known.subscribe(run):
            assert view.large == ("payload", "output")
        (shown,) = (await known.list_runs(RunQuery())).data
        assert (shown.large, shown.payload, shown.output) == ((), UNSET, UNSET)
        page = await known.feed(RunFeed(run))
        assert (page.rows[0].large, page.rows[0].output) == (("payload", "output"), b"")

    async def test_a_run_without_has_none(self, known: Api) -> None:
        run = (await known.trigger("a/b c", order(b""))).id
        for name in PARTS:
            with pytest.raises(NotFound):
                await known.run_packet(run, name)
        with pytest.raises(NotFound):
            await known.run_packet("run_nobody", "payload")


async def returning(api: Api, run: str, output: bytes) -> None:
    """Have a worker end the run with this."""
    async with working(api, "a/b c") as puppet:
        assigned = await puppet.assigned(run)
        puppet.post(Completed(run, assigned.epoch, output))
        await puppet.pushed(Ended, run)
