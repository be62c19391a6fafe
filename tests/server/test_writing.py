"""Writing to output streams over HTTP: how lines are framed, how long a writer may think."""

from contextlib import aclosing

import anyio
import psutil
import pytest

from headrace.server import outputs, protocol, taking
from headrace.server.outputs import Lines
from tests.server.house import KEY, PATIENCE_S, House
from tests.server.wires import ASKS, Wire, wire


async def values(home: House, run: str, stream: str = "words") -> list[bytes]:
    """End the run and return what its stream holds."""
    await home.api.cancel(run)
    with anyio.fail_after(PATIENCE_S):
        async with aclosing(home.api.tail(run, stream, inward=False)) as records:
            return [bytes(record.data) async for record in records]


def path_of(run: str, target: str = "self", stream: str = "words") -> str:
    return f"/realtime/v1/streams/{run}/{target}/{stream}"


def chunk(data: bytes) -> bytes:
    """Frame a piece of a body of unknown length."""
    return b"%x\r\n%s\r\n" % (len(data), data)


async def begin(on: Wire, run: str, *fields: bytes) -> None:
    """Say the head of a post whose body comes in chunks."""
    head = b"POST " + path_of(run).encode() + b" HTTP/1.1\r\n" + ASKS
    more = b"".join(line + b"\r\n" for line in (b"transfer-encoding: chunked", *fields))
    await on.say(head + more + b"\r\n")


async def last(home: House, run: str, client: str) -> str:
    """Ask for the writer's last line."""
    said = await home.ask("HEAD", path_of(run), x_client_id=client)
    assert (said.status, said.body) == (200, b"")
    return said.headers["x-last-chunk-index"]


# --- lines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_the_same_wherever_the_body_is_cut(size: int) -> None:
    body = b'{"a":1}\n\n"\xc3\xa9"\r\n  \n3\nnull'
    lines, found = Lines(), list[bytes]()
    for start in range(0, len(body), size):
        found += lines.feed(body[start : start + size])
    assert [*found, *lines.end()] == [b'{"a":1}', b'"\xc3\xa9"\r', b"3", b"null"]
    assert lines.end() == []


async def test_a_stream_is_created_by_saying_how_it_is_written(home: House) -> None:
    run = await home.run()
    said = await home.ask("PUT", path_of(run))
    assert (said.status, said.json) == (202, {"version": "v1"})
    assert said.headers["access-control-allow-origin"] == "*"
    assert await values(home, run) == []


async def test_lines_are_appended_once_for_each_writer_and_number(home: House) -> None:
    run = await home.run()
    assert await last(home, run, "w") == "-1"
    for _ in range(2):
        said = await home.ask("POST", path_of(run), b'1\n"two"\nundefined\n', x_client_id="w")
        assert (said.status, said.body) == (200, b"")
    assert await last(home, run, "w") == "2"
    await home.ask("POST", path_of(run), b"null\n4", x_client_id="w", x_resume_from_chunk="2")
    await home.ask("POST", path_of(run), b"5\n", x_client_id="v")
    assert await values(home, run) == [b"1", b'"two"', b"null", b"4", b"5"]


async def test_who_gives_no_name_appends_each_time(home: House) -> None:
    run = await home.run()
    for _ in range(2):
        assert (await home.ask("POST", path_of(run), b"1\n2\n")).status == 200
    assert await values(home, run) == [b"1", b"2"] * 2


@pytest.mark.parametrize(
    ("bad", "status"),
    [(b"{", 400), (b"NaN", 400), (b"\xff", 400), (b'"' + b"x" * 1_048_576 + b'"', 413)],
)
async def test_lines_before_a_bad_one_are_there(home: House, bad: bytes, status: int) -> None:
    run = await home.run()
    said = await home.ask("POST", path_of(run), b"1\n2\n" + bad + b"\n4\n", x_client_id="w")
    assert said.status == status
    assert await last(home, run, "w") == "1"
    assert await values(home, run) == [b"1", b"2"]


async def test_another_body_under_a_number_is_refused_behind_those_before_it(home: House) -> None:
    run = await home.run()
    await home.ask("POST", path_of(run), b"1\n2\n", x_client_id="w")
    said = await home.ask("POST", path_of(run), b"1\n9\n3\n", x_client_id="w")
    assert (said.status, said.json["code"]) == (422, "key_reused")
    assert await values(home, run) == [b"1", b"2"]


async def test_a_line_without_an_end_is_given_up(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "LINE", 1_000)
    run = await home.run()
    said = await home.ask("POST", path_of(run), b'1\n"' + b"x" * 200_000, x_client_id="w")
    assert said.status == 413
    assert await values(home, run) == [b"1"]


@pytest.mark.parametrize("number", ["-1", "x", "1.5", "9" * 40, "\u0663"])
async def test_a_number_that_is_none_is_refused(home: House, number: str) -> None:
    run = await home.run()
    said = await home.ask("POST", path_of(run), b"1\n", x_client_id="w", x_resume_from_chunk=number)
    assert said.status == 400
    assert await values(home, run) == []


async def test_a_part_is_appended_once(home: House) -> None:
    run = await home.run()
    path = path_of(run) + "/append"
    for part in ("a", "a", "b"):
        said = await home.ask("POST", path, b'{"a text": 1}', x_part_id=part)
        assert (said.status, said.json) == (200, {"ok": True})
    for key in ("k", "k"):
        await home.ask("POST", path, "é".encode(), x_trigger_request_idempotency_key=key)
    assert (await home.ask("POST", path, b"\xff")).status == 400
    assert (await home.ask("POST", path, b"other", x_part_id="a")).status == 422
    assert await values(home, run) == [b'"{\\"a text\\": 1}"'] * 2 + ['"é"'.encode()]


async def test_only_the_targets_that_there_are_are_found(home: House) -> None:
    run = await home.run()
    for target in ("parent", "root", "input", "me", run):
        said = await home.ask("PUT", path_of(run, target))
        assert said.status == (405 if target == "input" else 404), target
        assert (await home.ask("POST", path_of(run, target) + "/append", b"x")).status == 404


async def test_nobody_writes_with_a_token(home: House) -> None:
    run, token = await home.run(), home.token("admin")
    for method in ("PUT", "POST", "HEAD"):
        assert (await home.ask(method, path_of(run), key=token)).status == 401
    said = await home.ask("POST", path_of(run) + "/append", b"x", key=token)
    assert said.status == 401
    assert await values(home, run) == []


async def test_lines_that_are_there_are_answered_when_the_run_is_over(home: House) -> None:
    run = await home.run()
    await home.ask("POST", path_of(run), b"1\n2\n", x_client_id="w")
    await home.api.cancel(run)
    assert (await home.ask("POST", path_of(run), b"1\n2\n", x_client_id="w")).status == 200
    late = await home.ask("POST", path_of(run), b"1\n2\n3\n", x_client_id="w")
    assert (late.status, late.json["code"]) == (400, "run_is_over")
    assert (await home.ask("PUT", path_of(run))).json["code"] == "run_is_over"


# --- slow ----------------------------------------------------------------------------------------


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server lose its patience at once."""
    assert protocol.BODY_S == 15.0
    assert taking.TAKEN_S == 12.0
    monkeypatch.setattr(protocol, "BODY_S", 0.2)
    monkeypatch.setattr(taking, "TAKEN_S", 0.3)


@pytest.mark.usefixtures("hasty")
async def test_a_line_is_there_at_once_and_the_next_may_take_its_time(home: House) -> None:
    run = await home.run()
    async with (
        wire(home) as slow,
        aclosing(home.api.tail(run, "words", inward=False)) as records,
    ):
        await begin(slow, run, b"x-client-id: w")
        for number in range(3):
            await slow.say(chunk(b"%d\n" % number))
            assert bytes((await anext(records)).data) == b"%d" % number
            await think()
        await slow.say(b"0\r\n\r\n")
        assert (await slow.hear())[0] == 200


async def think() -> None:
    """Let more time pass than a body may pause elsewhere."""
    await anyio.sleep(0.3)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("key", [b"tr_dev_wrong", b""])
async def test_a_stranger_has_no_such_time(home: House, key: bytes) -> None:
    run = await home.run()
    asks = ASKS.replace(KEY.encode(), key)
    async with wire(home) as slow:
        head = b"POST " + path_of(run).encode() + b" HTTP/1.1\r\n" + asks
        await slow.say(head + b"transfer-encoding: chunked\r\n\r\n")
        assert [(await slow.hear())[0] for _ in range(2)] == [401, 408]
        assert await slow.is_closed()


@pytest.mark.usefixtures("hasty")
async def test_the_next_request_has_the_usual_time(home: House) -> None:
    run = await home.run()
    async with wire(home) as slow:
        await begin(slow, run)
        await slow.say(chunk(b"1\n"), b"0\r\n\r\n")
        assert (await slow.hear())[0] == 200
        path = f"/realtime/v1/streams/{run}/input/notes".encode()
        await slow.say(b"POST " + path + b" HTTP/1.1\r\n" + ASKS + b"content-length: 9\r\n\r\n{")
        assert (await slow.hear())[0] == 408


async def test_what_was_whole_when_the_connection_broke_is_there(home: House) -> None:
    run = await home.run()
    async with (
        wire(home) as cut,
        aclosing(home.api.tail(run, "words", inward=False)) as records,
    ):
        await begin(cut, run, b"x-client-id: w")
        await cut.say(chunk(b'1\n"half'))
        assert bytes((await anext(records)).data) == b"1"
    assert await last(home, run, "w") == "0"
    assert await values(home, run) == [b"1"]


@pytest.mark.usefixtures("hasty")
async def test_a_reader_that_takes_nothing_is_cut_and_another_is_not(home: House) -> None:
    run = await home.run()
    big = b'"' + b"x" * 1_000_000 + b'"'
    await home.api.write(run, "words", [big] * 20)
    async with wire(home) as deaf, wire(home) as good:
        asks = f"GET /realtime/v1/streams/{run}/words HTTP/1.1\r\n".encode() + ASKS + b"\r\n"
        await deaf.say(asks)
        await good.say(asks)
        size = 0
        while size < 20_000_000:
            size += len(await good.reader.read(65_536))
        await until_cut(home)
        await home.api.write(run, "words", [b'"still there"'])
        assert b"still there" in await good.reader.readuntil(b"still there")
        assert len(await deaf.reader.read()) < 20_000_000


async def until_cut(home: House) -> None:
    """Wait until the server has closed one of two connections."""
    this = psutil.Process()

    def is_cut() -> bool:
        held = [one for one in this.net_connections("tcp") if one.laddr[1:] == (home.port,)]
        return len(held) == 2  # whoever listens, and the other one

    with anyio.fail_after(PATIENCE_S):
        while not is_cut():  # noqa: ASYNC110 - nobody tells when the kernel lets go of it
            await anyio.sleep(0.01)
