"""What was read lately: always as it is in the log, without gaps, and never more than it may be."""

from __future__ import annotations

from hypothesis import given, strategies as st

from headrace.backends.s2.recent import OVERHEAD, STREAM_BYTES, Recent
from headrace.backends.s2.records import Stored
from headrace.kernel.model import Instant

LOG = 60


def stored(seq: int, size: int = 1) -> Stored:
    """Return the record of this number in a log whose bodies all have that size."""
    body = b"%d" % (seq % 10) * size
    return Stored(seq, Instant(0), b"me", seq * size, body, size)


@given(st.lists(st.tuples(st.integers(0, LOG), st.integers(1, 9)), max_size=30), st.data())
def test_what_is_kept_is_a_part_of_the_log(
    reads: list[tuple[int, int]], data: st.DataObject
) -> None:
    recent = Recent()
    for start, count in reads:
        recent.put("a", [stored(seq) for seq in range(start, start + count)])
        assert recent.get("a", start, count) == [stored(n) for n in range(start, start + count)]
        asked, limit = data.draw(st.integers(0, LOG)), data.draw(st.integers(1, 20))
        found = recent.get("a", asked, limit)
        assert [one.seq for one in found] == list(range(asked, asked + len(found)))
        assert len(found) <= limit


def test_what_follows_on_it_is_joined() -> None:
    recent = Recent()
    recent.put("a", [stored(0), stored(1)])
    recent.put("a", [stored(2)])
    assert len(recent.get("a", 0, 9)) == 3
    recent.put("a", [stored(4)])  # a gap
    assert recent.get("a", 0, 9) == []
    assert len(recent.get("a", 4, 9)) == 1


def test_no_more_is_kept_than_may_be() -> None:
    recent = Recent(kept_bytes=3 * STREAM_BYTES)
    half = STREAM_BYTES // 2
    for name in "abcdef":
        recent.put(name, [stored(0, half), stored(1, half), stored(2, half)])
    kept = [name for name in "abcdef" if recent.get(name, 2, 1)]
    assert kept == ["b", "c", "d", "e", "f"]  # each keeps one, with what it weighs beside its body
    assert recent.get("f", 0, 1) == []
    recent.forget("f")
    assert recent.get("f", 2, 1) == []


def test_small_records_are_read_ahead_and_large_ones_are_not() -> None:
    recent = Recent()
    assert recent.ahead("a") == 1
    recent.put("a", [stored(0)])
    recent.put("b", [stored(0, STREAM_BYTES // 8 - OVERHEAD)])
    recent.put("c", [stored(0, STREAM_BYTES)])
    assert (recent.ahead("a"), recent.ahead("b"), recent.ahead("c")) == (32, 4, 1)
