"""The event parser gives the same events however the bytes are cut."""

from itertools import pairwise

from hypothesis import given, strategies as st

from headrace.client.sse import Event, Parser

STREAM = (
    b": hello\n\n"
    b"event: batch\nid: 3\ndata: one\n\n"
    b"event: ping\r\ndata: {}\r\n\r\n"
    b"data: two\ndata: lines\n\n"
    b"data: \xc3\xa4\xe2\x82\xac\n\n"
    b"event: nothing\n\n"
    b"data: never ended\n"
)
EVENTS = [
    Event("batch", b"one", "3"),
    Event("ping", b"{}", "3"),
    Event("message", b"two\nlines", "3"),
    Event("message", "ä€".encode(), "3"),
]


def test_events_end_at_a_blank_line() -> None:
    assert list(Parser().feed(STREAM)) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_cuts_change_nothing(cuts: list[int]) -> None:
    parser, places = Parser(), [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[a:b] for a, b in pairwise(places)]
    assert [event for chunk in chunks for event in parser.feed(chunk)] == EVENTS
