"""Durations and moments: the grammar, its edges, and how a mistake reads."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from headrace.errors import BadRequest
from headrace.kernel.model import Instant
from headrace.wire.durations import MOST_MS, delay_until, duration_ms, iso, moment

NOW = Instant(1_700_000_000_000)


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("30s", 30_000),
        ("5m", 300_000),
        ("1h30m", 5_400_000),
        ("2hr", 7_200_000),
        ("2hr30m", 9_000_000),
        ("7d", 604_800_000),
        ("4w", 2_419_200_000),
        ("0s", 0),
        (0, 0),
        (1.5, 1_500),
        (1.1, 1_100),
        (8.2, 8_200),
        (0.0001, 1),
        (90, 90_000),
        (timedelta(days=1, milliseconds=3), 86_400_003),
        (timedelta(microseconds=1), 1),
        ("5217w", 3_155_241_600_000),
    ],
)
def test_a_duration(value: str | float | timedelta, ms: int) -> None:
    assert duration_ms(value) == ms


@pytest.mark.parametrize(
    "value",
    [
        "", " 5m", "5m ", "5", "5 minutes", "500ms", "1.5h", "-5m", "5M", "m", "1h30", "٣m", "1y",
        "5m\n", "1s" * 51, "6000w", "9" * 90 + "w", -1, -0.5, float("nan"), float("inf"),
        float("-inf"), 1e300, 1e308, 10**400, True, timedelta(seconds=-1), timedelta(days=40_000),
    ],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_what_is_one(value: str | float | timedelta) -> None:
    with pytest.raises(BadRequest, match="1h30m"):
        duration_ms(value)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=36_000)))
def test_a_duration_is_never_shorter_than_asked(span: timedelta) -> None:
    assert (
        timedelta(0) <= timedelta(milliseconds=duration_ms(span)) - span < timedelta(milliseconds=1)
    )


@given(st.integers(min_value=0, max_value=MOST_MS))
def test_seconds_with_milliseconds_are_exact(ms: int) -> None:
    assert duration_ms(ms / 1_000) == ms


def test_a_moment_is_an_instant_in_any_zone() -> None:
    there = timezone(timedelta(hours=-7))

    assert moment(datetime(2026, 1, 1, tzinfo=UTC)) == 1_767_225_600_000
    assert moment(datetime(2025, 12, 31, 17, tzinfo=there)) == 1_767_225_600_000
    assert moment(datetime(2026, 1, 1, microsecond=1, tzinfo=UTC)) == 1_767_225_600_001


def test_a_moment_is_never_zero_which_means_none() -> None:
    assert moment(datetime(1970, 1, 1, tzinfo=UTC)) == 1
    assert moment(datetime(1, 1, 1, tzinfo=UTC)) == 1


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(BadRequest, match="time zone"):
        moment(datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("value", "until"),
    [
        ("5m", NOW + 300_000),
        (10, NOW + 10_000),
        (timedelta(seconds=1), NOW + 1_000),
        ("2026-01-01", 1_767_225_600_000),
        ("2026-01-01T00:00:00.000Z", 1_767_225_600_000),
        ("2026-01-01T01:00:00+01:00", 1_767_225_600_000),
        (datetime(2026, 1, 1, tzinfo=UTC), 1_767_225_600_000),
        ("2020-01-01", NOW),
        (datetime(2020, 1, 1, tzinfo=UTC), NOW),
    ],
)
def test_a_delay(value: str | float | timedelta | datetime, until: int) -> None:
    assert delay_until(value, NOW) == until


@pytest.mark.parametrize(
    "value",
    ["2026-01-01T00:00:00", "2026-13-01", "2026-01-01Tlater", "tomorrow", "9999-01-01", "", -3],
)
def test_what_is_no_delay_is_refused(value: str | float) -> None:
    with pytest.raises(BadRequest):
        delay_until(value, NOW)


@given(st.integers(min_value=1, max_value=253_402_300_799_999))
def test_an_instant_survives_its_text(ms: int) -> None:
    text = iso(Instant(ms))

    assert text.endswith("Z")
    assert len(text) == len("2026-01-01T00:00:00.000Z")
    assert moment(datetime.fromisoformat(text)) == ms
