"""How long a client pauses: not as long as all the others."""

from __future__ import annotations

import pytest

from headrace.client import Patience, following
from headrace.errors import Throttled, Unavailable

GONE, ASKED = Unavailable("gone"), Throttled("later", retry_after=4)
_of_a_stream = following._pause_s  # pyright: ignore[reportPrivateUsage]  # a test may look inside


def test_a_call_pauses_for_half_at_the_least() -> None:
    patience = Patience(first_s=1.0, factor=2.0, most_s=3.0)
    assert [patience.pause_s(attempt, 0.0) for attempt in (1, 2, 3)] == [1.0, 2.0, 3.0]
    assert [patience.pause_s(attempt, 0.5) for attempt in (1, 2, 3)] == [0.75, 1.5, 2.25]
    assert patience.pause_s(3, 0.999) > 1.5


def test_a_stream_pauses_for_any_part() -> None:
    assert [_of_a_stream(failures, GONE, 0.0) for failures in (1, 2, 10)] == [0.1, 0.2, 5.0]
    assert _of_a_stream(10, GONE, 0.999) == pytest.approx(0.005)


def test_what_the_server_asks_for_is_waited_for_in_full() -> None:
    assert _of_a_stream(1, ASKED, 0.0) == 4.0
    assert 4.0 < _of_a_stream(1, ASKED, 0.999) < 5.0
