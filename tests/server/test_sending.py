"""Sending to a run: the order of the checks, sizes to the byte, receipts."""

import json
from collections.abc import AsyncIterator

import anyio
import pytest

from headrace.wire.jsontext import MAX_DATA
from tests.server.house import PATIENCE_S, House, Said


async def sent(home: House, run: str, body: bytes, stream: str = "notes", **more: str) -> Said:
    """Send, by HTTP."""
    return await home.ask("POST", f"/realtime/v1/streams/{run}/input/{stream}", body, **more)


async def values(home: House, run: str, stream: str = "notes") -> list[object]:
    """Return what stands in the stream of a run that has ended."""
    await home.api.cancel(run)
    with anyio.fail_after(PATIENCE_S):
        return [
            json.loads(bytes(record.data))
            async for record in home.api.tail(run, stream, inward=True)
        ]


async def test_a_message_is_acknowledged_with_its_number(home: House) -> None:
    run = await home.run()
    said = [await sent(home, run, body) for body in (b'{"data":1}', b'{"data": [2]}', b"{}")]

    assert [one.json for one in said] == [
        {"ok": True, "seq": seq, "duplicate": False, "resumed": False} for seq in range(3)
    ]
    assert await values(home, run) == [1, [2], None]


async def test_a_message_may_stand_among_other_members(home: House) -> None:
    run = await home.run()
    for body in (b'{"a":{"data":0},"data":{"x":"y"},"z":1}', b'{"data":1,"data2":2}'):
        assert (await sent(home, run, body)).status == 200

    assert await values(home, run) == [{"x": "y"}, 1]


async def test_a_repeat_is_told_and_another_body_refused(home: House) -> None:
    run = await home.run()
    for name in ("idempotency-key", "x-trigger-request-idempotency-key"):
        key = {name.replace("-", "_"): f"k {name}"}
        one = await sent(home, run, b'{"data":{"a":1,"b":2}}', **key)
        same = await sent(
            home, run, b'{ "data" : {"a":1.0e0, "b":2} }'.replace(b".0e0", b""), **key
        )
        other = await sent(home, run, b'{"data":{"a":1,"b":3}}', **key)
        assert (same.json["seq"], same.json["duplicate"]) == (one.json["seq"], True)
        assert (other.status, other.json["code"]) == (422, "key_reused")
    assert len(await values(home, run)) == 2


BAD: dict[str, tuple[bytes, int, str]] = {
    "no JSON": (b"{", 400, "ends too early"),
    "empty": (b"", 400, "empty"),
    "no object": (b"[1]", 400, "must be an object"),
    "a text": (b'"data"', 400, "must be an object"),
    "NaN": (b'{"data":NaN}', 400, "NaN"),
    "too big a number": (b'{"data":1e999}', 400, "out of range"),
    "twice": (b'{"data":1,"data":2}', 400, "twice"),
    "twice within": (b'{"data":{"a":1,"a":1}}', 400, "twice"),
    "half a pair": (b'{"data":"\\ud800"}', 400, "surrogate"),
    "no UTF-8": (b'{"data":"\xff"}', 400, "UTF-8"),
    "deep": (b'{"data":' + b"[" * 65 + b"]" * 65 + b"}", 400, "nested"),
    "very deep": (b'{"data":' + b"[" * 200_000, 400, "nested"),
    "a form": (b"data=1", 400, "malformed"),
    "gzip": (b"\x1f\x8b\x08\x00\x00", 400, "malformed"),
    "misfit": (b'{"data":{"approved":"yes"}}', 422, '"yes" is not of type "boolean"'),
    "nothing": (b"{}", 422, "object"),
    "too large": (b'{"data":"' + b"x" * MAX_DATA + b'"}', 413, "too large"),
    "huge": (b'{"data":"' + b"x" * 5_000_000 + b'"}', 413, "too large"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_message_is_refused_and_not_appended(home: House, name: str) -> None:
    body, status, words = BAD[name]
    run = await home.run()
    said = await sent(home, run, body, "approval")

    assert said.status == status
    assert words in str(said.json["error"])
    assert said.json["ok"] is False
    assert await values(home, run, "approval") == []


async def test_a_misfit_names_its_place(home: House) -> None:
    said = await sent(home, await home.run(), b'{"data":{"approved":"yes"}}', "approval")

    assert said.json["path"] == "/approved"


@pytest.mark.parametrize("name", ["no JSON", "too large", "huge", "misfit", "NaN"])
async def test_what_comes_first_is_told_first(home: House, name: str) -> None:
    body, status, _ = BAD[name]
    run = await home.run()
    one = await sent(home, run, b'{"data":{"approved":true}}', "approval", idempotency_key="k")

    async def told(place: str, stream: str, **more: str) -> tuple[int, object]:
        said = await sent(home, place, body, stream, **more)
        return said.status, said.json["code"]

    assert one.status == 200
    assert await told(run, "approval", key="") == (401, "unauthorized")
    assert await told("run_nobody", "approval", key=home.token()) == (403, "unauthorized")
    assert await told("run_nobody", "approval") == (404, "not_found")
    assert await told(run, "approval", idempotency_key="k") == (422, "key_reused")
    assert await told(run, "unheard") == (404, "not_found")
    assert (await told(run, "signed", key=home.token("write:inputStreams")))[0] == 403
    assert (await told(run, "approval"))[0] == status
    await home.api.cancel(run)
    assert await told(run, "unheard") == (400, "run_is_over")
    assert await told(run, "approval") == (400, "run_is_over")


async def test_a_known_key_is_answered_after_the_end(home: House) -> None:
    run = await home.run()
    one = await sent(home, run, b'{"data":1}', idempotency_key="k")
    await home.api.cancel(run)
    two = await sent(home, run, b'{"data":1}', idempotency_key="k")

    assert one.json == {"ok": True, "seq": 0, "duplicate": False, "resumed": False}
    assert two.json == {"ok": True, "seq": 0, "duplicate": True, "resumed": False}


@pytest.mark.parametrize("name", ["idempotency_key", "x_trigger_request_idempotency_key"])
async def test_a_key_has_its_length(home: House, name: str) -> None:
    run = await home.run()
    longest, longer = {name: "k" * 2_048}, {name: "k" * 2_049}

    assert (await sent(home, run, b'{"data":1}', **longest)).status == 200
    assert (await sent(home, run, b'{"data":1}', **longer)).status == 400
    assert (await sent(home, "run_nobody", b'{"data":1}', **longer)).status == 404


# --- sizes --------------------------------------------------------------------------------------

TEXTS = {
    "letters": "x",
    "quotes": '"',
    "control": "\x01",
    "two bytes": "é",
    "emoji": "\U0001f600",
}


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("name", TEXTS)
async def test_a_mebibyte_fits_and_a_byte_more_does_not(
    home: House,
    name: str,
    ascii_only: bool,  # noqa: FBT001
) -> None:
    """However the sender escapes, what counts is the compact text."""
    run, char = await home.run(), TEXTS[name]
    size = len(json.dumps(char, ensure_ascii=False).encode()) - 2
    count = (MAX_DATA - 2) // size
    filling = "x" * (MAX_DATA - 2 - count * size)

    for extra, status in (("", 200), ("x", 413)):
        text = char * count + filling + extra
        body = json.dumps({"data": text}, ensure_ascii=ascii_only).encode()
        said = await sent(home, run, body)
        assert (extra, said.status) == (extra, status)
        assert said.headers["access-control-allow-origin"] == "*"


async def test_space_does_not_count(home: House) -> None:
    run = await home.run()
    body = b'{"data":' + b" " * 1_000_000 + b'"' + b"x" * (MAX_DATA - 2) + b'"' + b" " * 1_000_000

    assert (await sent(home, run, body + b"}")).status == 200
    assert (await sent(home, run, body + b" " * 2_000_000 + b"}")).status == 413


async def chunks(total: int, size: int = 65_536) -> AsyncIterator[bytes]:
    """Give a message in pieces of unknown number."""
    yield b'{"data":"'
    for start in range(0, total, size):
        yield b"x" * min(size, total - start)
    yield b'"}'


@pytest.mark.parametrize(
    ("total", "status"), [(1_000_000, 200), (1_048_575, 413), (9_000_000, 413)]
)
async def test_a_body_may_come_in_chunks_of_unknown_number(
    home: House, total: int, status: int
) -> None:
    run = await home.run()
    url = f"{home.url}/realtime/v1/streams/{run}/input/notes"
    headers = {"authorization": f"Bearer {home.token('write:inputStreams')}"}
    with anyio.fail_after(PATIENCE_S):
        async with home.http.post(url, data=chunks(total), headers=headers) as response:
            assert response.status == status
            assert response.headers["access-control-allow-origin"] == "*"
        # The connection is as good as new.
        assert (await sent(home, run, b'{"data":1}')).status == 200


async def test_a_compressed_body_is_refused(home: House) -> None:
    said = await sent(home, await home.run(), b'{"data":1}', content_encoding="gzip")

    assert (said.status, "compressed" in str(said.json["error"])) == (400, True)
