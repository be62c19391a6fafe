"""When a failed attempt is tried again.

Owns: the arithmetic of back-off. Must never know: chance; jitter comes in as a number.
"""

from __future__ import annotations

from headrace.kernel.model import Instant, Retry, later


def delay_ms(policy: Retry, attempt: int, jitter: float) -> int:
    """Return the pause in ms after `attempt` (1 = the first) failed; `jitter` is in [0, 1).

    Full jitter over the upper half of the exponential delay, so that the pause stays within
    [1/2, 1] of it: runs that failed together spread out and still back off.
    """
    full: float = min(policy.first_ms, policy.most_ms)
    # 64 doublings pass any `most_ms`. A power would overflow where a factor is large.
    for _ in range(min(attempt - 1, 64)):
        full = min(full * policy.factor, policy.most_ms)
    return round(full * (0.5 + jitter / 2)) if policy.jitter else round(full)


def next_try(policy: Retry, attempt: int, now: Instant, jitter: float) -> Instant:
    """Return when the attempt after `attempt` may start."""
    return later(now, delay_ms(policy, attempt, jitter))
