"""Frames on a byte stream: what was framed is found again, and nothing huge is."""

import pytest
from hypothesis import given, strategies as st

from headrace.errors import TooLarge
from headrace.wire import frames


@given(st.binary(max_size=300))
def test_a_frame_is_found_again(frame: bytes) -> None:
    sent = frames.framed(frame)
    length = frames.length_of(sent[: frames.PREFIX])

    assert sent[frames.PREFIX :][:length] == frame == sent[frames.PREFIX :]


def test_a_huge_frame_is_refused_at_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MOST", 10)
    assert frames.length_of(frames.framed(b"x" * 10)[:4]) == 10
    with pytest.raises(TooLarge):
        frames.framed(b"x" * 11)
    with pytest.raises(TooLarge):
        frames.length_of(b"\xff\xff\xff\xff")
