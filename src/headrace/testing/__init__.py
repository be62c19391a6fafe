"""For tests of your own tasks and backends: a harness, contracts, clocks, faults."""

from headrace.testing.clock import ManualClock
from headrace.testing.harness import Harness, local

__all__ = ["Harness", "ManualClock", "local"]
