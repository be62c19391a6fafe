"""The head of an answer goes with its body: nobody gets half of it from a server that is killed."""

import asyncio

import pytest

from headrace.server.whole import Whole

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Out(asyncio.Transport):
    """Notes each write, as the system would see it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = list[bytes]()
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize(
    ("writes", "expected"),
    [
        ([HEAD, b"{}"], [HEAD + b"{}"]),
        ([HEAD, b""], [HEAD]),
        ([HEAD, b"a", b"b"], [HEAD + b"a", b"b"]),
        ([CONTINUE, HEAD, b"{}"], [CONTINUE, HEAD + b"{}"]),
        # Who follows a stream must see at once that it is there.
        ([CHUNKED, b"1\r\na\r\n"], [CHUNKED, b"1\r\na\r\n"]),
        ([CHUNKED, HEAD, HEAD], [CHUNKED, HEAD, HEAD]),
    ],
)
def test_what_is_written_together(writes: list[bytes], expected: list[bytes]) -> None:
    out = Out()
    whole = Whole(out)
    for data in writes:
        whole.write(data)
    assert out.written == expected


def test_a_head_whose_body_never_comes_goes_before_the_end() -> None:
    out = Out()
    whole = Whole(out)
    whole.write(HEAD)
    assert (out.written, out.is_closed) == ([], False)
    whole.close()
    assert (out.written, out.is_closed) == ([HEAD], True)
