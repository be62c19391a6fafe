"""What arrives on the wire: slow, huge, cut and crooked requests, on a bare socket."""

import anyio
import pytest

from headrace.server import protocol, sse
from tests.server.house import House
from tests.server.wires import ASKS, wire


def send(run: str, body: bytes, *more: bytes, stream: str = "notes") -> bytes:
    """Write a send as a request."""
    fields = b"".join(line + b"\r\n" for line in more)
    path = f"/realtime/v1/streams/{run}/input/{stream}".encode()
    return b"POST " + path + b" HTTP/1.1\r\n" + ASKS + fields + b"\r\n" + body


def sized(run: str, body: bytes, size: int | None = None) -> bytes:
    """Write a send with its length, or another one."""
    return send(run, body, b"content-length: %d" % (len(body) if size is None else size))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server lose its patience at once."""
    assert protocol.HEAD_S == protocol.BODY_S == 15.0
    monkeypatch.setattr(protocol, "HEAD_S", 0.2)
    monkeypatch.setattr(protocol, "BODY_S", 0.2)


HEALTH = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"


# --- slow ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("said", [b"G", b"GET /health HTTP/1.1\r\n", HEALTH[:-1]])
async def test_a_head_that_does_not_arrive_is_given_up(home: House, said: bytes) -> None:
    async with wire(home) as slow:
        await slow.say(said)
        status, headers, body = await slow.hear()
        assert (status, headers["connection"]) == (408, "close")
        assert headers["access-control-allow-origin"] == "*"
        assert b"too long to arrive" in body
        assert await slow.is_closed()


@pytest.mark.usefixtures("hasty")
async def test_a_head_that_drips_is_given_up_all_the_same(home: House) -> None:
    async with wire(home) as slow, anyio.create_task_group() as group:
        group.start_soon(slow.drip, HEALTH * 100, 0.01)
        assert (await slow.hear())[0] == 408
        group.cancel_scope.cancel()


@pytest.mark.usefixtures("hasty")
async def test_a_connection_that_says_nothing_is_closed(home: House) -> None:
    async with wire(home) as silent:
        assert await silent.is_closed()


@pytest.mark.usefixtures("hasty")
async def test_a_second_head_has_its_own_time(home: House) -> None:
    async with wire(home) as slow:
        await slow.say(HEALTH)
        assert (await slow.hear())[0] == 200
        await slow.say(HEALTH[:10])
        assert (await slow.hear())[0] == 408


@pytest.mark.usefixtures("hasty")
async def test_a_body_that_stops_is_given_up_and_nothing_appended(home: House) -> None:
    run = await home.run()
    async with wire(home) as slow:
        await slow.say(sized(run, b'{"data":1', 10))
        status, headers, _ = await slow.hear()
        assert (status, headers["access-control-allow-origin"]) == (408, "*")
        assert await slow.is_closed()
    assert (await home.api.retrieve(run)).unread == {}


@pytest.mark.usefixtures("hasty")
async def test_a_body_that_goes_on_is_waited_for(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "BODY_S", 1.0)
    monkeypatch.setattr(protocol, "BODY_LEAST", 1)
    run, body = await home.run(), b'{"data":"' + b"x" * 20 + b'"}'
    head = sized(run, b"", len(body))
    async with wire(home) as slow:
        await slow.say(head)
        await slow.drip(body, 0.05)
        assert (await slow.hear())[0] == 200
        await slow.say(HEALTH)
        assert (await slow.hear())[0] == 200


@pytest.mark.usefixtures("hasty")
async def test_a_stream_that_is_read_may_take_its_time(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "PING_S", 0.1)
    run = await home.run()
    path = f"/realtime/v1/streams/{run}/progress".encode()
    async with wire(home) as reader:
        await reader.say(b"GET " + path + b" HTTP/1.1\r\n" + ASKS + b"\r\n")
        await reader.reader.readuntil(b"\r\n\r\n")
        for _ in range(5):
            await reader.reader.readuntil(b"ping")
        await home.api.cancel(run)
        assert await reader.reader.readuntil(b"0\r\n\r\n")


# --- huge ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\n" + b"a: b\r\n" * 65 + b"\r\n",
        b"GET /health HTTP/1.1\r\na: " + b"x" * 17_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\na: " + b"x" * 40_000,
        b"GET /" + b"x" * 40_000,
        b"GET /health HTTP/1.1\r\n" + b"x" * 40_000,
        b"GET /health HTTP/1.1\r\na: " + b"x" * 9_000 + b"\r\nb: " + b"x" * 9_000 + b"\r\n\r\n",
    ],
)
async def test_a_head_has_its_size(home: House, head: bytes) -> None:
    async with wire(home) as big:
        await big.say(head)
        status, headers, _ = await big.hear()
        assert (status, headers["connection"]) == (431, "close")
        assert headers["access-control-allow-origin"] == "*"


async def test_as_many_fields_as_allowed_are_taken(home: House) -> None:
    async with wire(home) as big:
        await big.say(b"GET /health HTTP/1.1\r\n" + b"a: b\r\n" * 64 + b"\r\n")
        assert (await big.hear())[0] == 200


async def test_a_body_too_large_is_refused_before_it_is_sent(home: House) -> None:
    run = await home.run()
    async with wire(home) as polite:
        await polite.say(send(run, b"", b"content-length: 9000000000", b"expect: 100-continue"))
        status, headers, body = await polite.hear()
        assert (status, headers["access-control-allow-origin"]) == (413, "*")
        assert b'"too_large"' in body


async def test_a_body_that_fits_is_asked_for(home: House) -> None:
    run, body = await home.run(), b'{"data":1}'
    async with wire(home) as polite:
        head = send(run, b"", b"content-length: %d" % len(body), b"expect: 100-continue")
        await polite.say(head)
        assert await polite.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await polite.say(body)
        assert (await polite.hear())[0] == 200


async def test_an_endless_body_is_refused_and_then_cut(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "UNREAD", 1_000_000)
    run = await home.run()
    async with wire(home) as endless:
        await endless.say(send(run, b"", b"transfer-encoding: chunked"))
        chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        with pytest.raises(ConnectionError):
            await endless.say(*[chunk] * 2_000)


# --- crooked -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /health HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\ntransfer-encoding: x\r\n\r\nab",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"\r\n\r\n\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused(home: House, said: bytes) -> None:
    async with wire(home) as crooked:
        await crooked.say(said)
        status, headers, _ = await crooked.hear()
        assert status == 400
        assert headers["access-control-allow-origin"] == "*"
        assert headers["connection"] == "close"
        assert await crooked.is_closed()


async def test_a_chunk_that_is_none_appends_nothing(home: House) -> None:
    run = await home.run()
    async with wire(home) as crooked:
        await crooked.say(send(run, b'5\r\n{"dat\r\nzz\r\n', b"transfer-encoding: chunked"))
        assert (await crooked.hear())[0] == 400
        assert await crooked.is_closed()
    assert (await home.api.retrieve(run)).unread == {}


async def test_a_body_longer_than_it_says_has_its_answer_before_the_rest_is_refused(
    home: House,
) -> None:
    """Nothing that was done is told as a failure."""
    run = await home.run()
    async with wire(home) as crooked:
        await crooked.say(sized(run, b'{"data":1}garbage\r\n\r\n', 10))
        status, _, body = await crooked.hear()
        assert (status, body.startswith(b'{"ok":true')) == (200, True)
        assert await crooked.is_closed()
    assert (await home.api.retrieve(run)).unread == {"notes": 1}


async def test_a_connection_cut_within_a_body_appends_nothing(home: House) -> None:
    run = await home.run()
    async with wire(home) as cut:
        await cut.say(sized(run, b'{"data":1}', 11))
    assert (await home.ask("GET", "/health")).status == 200
    assert (await home.api.retrieve(run)).unread == {}


async def test_requests_in_a_row_are_answered_in_a_row(home: House) -> None:
    run = await home.run()
    async with wire(home) as eager:
        await eager.say(b"".join(sized(run, b'{"data":%d}' % number) for number in range(20)))
        for number in range(20):
            status, _, body = await eager.hear()
            assert (status, b'"seq":%d,' % number in body) == (200, True)


async def test_a_refused_body_does_not_spoil_the_connection(home: House) -> None:
    run = await home.run()
    async with wire(home) as big:
        await big.say(sized(run, b'{"data":"' + b"x" * 4_000_000 + b'"}'))
        assert (await big.hear())[0] == 413
        await big.say(sized(run, b'{"data":1}'))
        assert (await big.hear())[0] == 200


async def test_old_http_is_answered_and_closed(home: House) -> None:
    async with wire(home) as old:
        await old.say(b"GET /health HTTP/1.0\r\n\r\n")
        assert (await old.hear())[0] == 200
        assert await old.is_closed()


async def test_an_upgrade_to_something_else_is_an_ordinary_request(home: House) -> None:
    async with wire(home) as other:
        await other.say(b"GET /health HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n")
        assert (await other.hear())[0] == 200


async def test_hostile_bytes_never_make_a_server_error(home: House) -> None:
    """Requests cut and flipped at every place: an answer below 500, or none."""
    run = await home.run()
    whole = sized(run, b'{"data":{"a":[1,2]}}')
    for at in range(0, len(whole), 3):
        for crooked in (whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :], whole[at:]):
            async with wire(home) as hostile:
                await hostile.say(crooked)
                hostile.writer.write_eof()
                head = await hostile.reader.read(15)
                assert head == b"" or head[9:10] in b"24", (crooked, head)
