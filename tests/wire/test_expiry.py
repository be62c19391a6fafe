"""When a token ends: the grammar of the official clients."""

import pytest

from headrace.errors import BadRequest
from headrace.kernel.model import Instant
from headrace.wire.expiry import MOST_MS, expires

NOW = Instant(1_700_000_000_500)


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        (None, 900_000),
        ("15m", 900_000),
        ("1h", 3_600_000),
        ("1 hour", 3_600_000),
        ("2hrs", 7_200_000),
        ("90 secs", 90_000),
        ("1.5h", 5_400_000),
        ("+ 7 days", 604_800_000),
        ("1W", 604_800_000),
        ("10 minutes from now", 600_000),
        ("-10 minutes from now", None),
        ("30d", MOST_MS),
    ],
)
def test_a_span_counts_from_now(value: str | None, ms: int | None) -> None:
    if ms is None:
        with pytest.raises(BadRequest):
            expires(value, NOW)
    else:
        assert expires(value, NOW) == NOW + ms


@pytest.mark.parametrize(("value", "ms"), [(1_700_000_060, 59_500), (1_700_000_000.75, 250)])
def test_a_number_is_unix_seconds(value: float, ms: int) -> None:
    assert expires(value, NOW) == NOW + ms


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "Invalid"),
        ("soon", "Invalid"),
        ("1", "Invalid"),
        ("1 month", "Invalid"),
        ("1h30m", "Invalid"),
        ("\u0661h", "Invalid"),
        ("1" * 70 + "s", "Invalid"),
        (float("nan"), "Invalid"),
        (float("inf"), "Invalid"),
        ("0s", "in the future"),
        ("5m ago", "in the future"),
        ("-5m", "in the future"),
        (1_700_000_000, "in the future"),
        (-1, "in the future"),
        ("31 days", "30 days"),
        ("1y", "30 days"),
        (1_800_000_000, "30 days"),
    ],
)
def test_what_is_no_end_is_refused(value: str | float, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        expires(value, NOW)
