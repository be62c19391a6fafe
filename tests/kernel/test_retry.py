"""When a failed attempt is tried again: the arithmetic, and its bounds for any policy."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from headrace.kernel.model import Instant, Retry
from headrace.kernel.retry import delay_ms, next_try

POLICIES = st.builds(
    Retry,
    first_ms=st.integers(0, 10**9),
    factor=st.floats(1, 1e300, allow_nan=False),
    most_ms=st.integers(0, 10**12),
    jitter=st.booleans(),
)
ATTEMPTS = st.integers(1, 10**9)
JITTERS = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("attempt", "pause"),
    [(1, 1_000), (2, 2_000), (3, 4_000), (5, 16_000), (6, 30_000), (7, 30_000), (10**6, 30_000)],
)
def test_the_pause_doubles_up_to_the_most(attempt: int, pause: int) -> None:
    assert delay_ms(Retry(jitter=False), attempt, 0.9) == pause


@pytest.mark.parametrize(("jitter", "pause"), [(0.0, 1_000), (0.5, 1_500), (0.999, 1_999)])
def test_chance_takes_away_half_at_the_most(jitter: float, pause: int) -> None:
    assert delay_ms(Retry(first_ms=2_000), 1, jitter) == pause


def test_a_first_pause_over_the_most_is_cut() -> None:
    assert delay_ms(Retry(first_ms=60_000, jitter=False), 1, 0) == 30_000


def test_a_factor_of_one_is_a_steady_pause() -> None:
    policy = Retry(first_ms=300, factor=1.0, jitter=False)
    assert {delay_ms(policy, attempt, 0) for attempt in range(1, 9)} == {300}


def test_the_next_try_counts_from_now() -> None:
    assert next_try(Retry(jitter=False), 2, Instant(500), 0.1) == 2_500


@given(POLICIES, ATTEMPTS, JITTERS)
def test_the_pause_is_within_its_bounds(policy: Retry, attempt: int, jitter: float) -> None:
    pause = delay_ms(policy, attempt, jitter)
    assert min(policy.first_ms, policy.most_ms) // 2 <= pause <= policy.most_ms


@given(POLICIES, JITTERS)
def test_no_later_pause_is_shorter(policy: Retry, jitter: float) -> None:
    pauses = [delay_ms(policy, attempt, jitter) for attempt in range(1, 70)]
    assert all(one <= two for one, two in pairwise(pauses))
