"""What the model and the simulation assume about the world, each number with its source.

Owns: every number that is not a result. Must never know: what is done with them.

Rule 1: a number that a command of this repository measures says where it stands; a test reads it.
        What `python -m bench.measure` measures is taken from the file that it writes.
Rule 2: every other number is marked as assumed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, TypeAlias

import msgspec


class Measured(msgspec.Struct, frozen=True):
    """Stands on a page that a command writes: `row` is how its line begins."""

    page: str
    row: str
    column: int = 1
    per: float = 1.0
    """So many of the parameter's unit are one of the page's."""


class Coded(msgspec.Struct, frozen=True):
    """Is a constant in a file of the source."""

    file: str
    name: str
    per: float = 1.0
    """So many of the parameter's unit are one of the constant's."""


class Assumed(msgspec.Struct, frozen=True):
    """Nobody has measured it here yet."""

    reason: str


Source: TypeAlias = Measured | Coded | Assumed


class Parameter(msgspec.Struct, frozen=True):
    """One number, what it means and where it comes from."""

    meaning: str
    value: float
    unit: str
    source: Source


BENCHMARKS: Final = "docs/reference/benchmarks.md"
CROWD: Final = "docs/reliability/crowd.md"
SCALE: Final = "docs/concepts/scale.md"
ENGINE: Final = "src/headrace/engine"
POSTGRES: Final = "src/headrace/backends/postgres"
PARTS: Final = Path(__file__).with_name("measured.json")
_parts: Final = msgspec.json.decode(PARTS.read_bytes(), type=dict[str, float])


def part(meaning: str, row: str, unit: str, per: float = 1.0) -> Parameter:
    """Return what `python -m bench.measure` has found."""
    return Parameter(meaning, _parts[row] * per, unit, Measured(SCALE, row, per=per))


GUESS: Final = Assumed("a guess of 2026-11, not the price list")

LOOP_SEND: Final = Parameter(
    "server's loop, to take a message and hand it over",
    264e-6,
    "s",
    Measured(BENCHMARKS, "throughput", per=1e-6),
)
LOOP_RUN: Final = Parameter(
    "server's loop, to give a run to a worker and take back what came of it",
    330e-6,
    "s",
    Measured(BENCHMARKS, "starts", per=1e-6),
)
LOOP_CONNECT: Final = Parameter(
    "server's loop, to take up a connection that follows",
    500e-6,
    "s",
    Assumed("an HTTP request with a token, and the first answer"),
)
LOOP_LOOK: Final = Parameter(
    "server's loop, to look again for one live run",
    20e-6,
    "s",
    Assumed("a comparison in memory; the log is read only where it has grown"),
)
START: Final = Parameter(
    "worker's processor, to take up a run that has left",
    1_000e-6,
    "s",
    Measured(BENCHMARKS, "evicted paced", column=2, per=1e-6),
)
WORK: Final = Parameter("a run's own work until it waits again", 0.05, "s", Assumed("short tasks"))
WORKERS: Final = Parameter("workers at each server", 4, "", Assumed("one for each core"))
SLOTS: Final = Parameter(
    "runs that a worker executes at once", 100, "", Coded("src/headrace/worker/options.py", "slots")
)
FLUSH_P50: Final = part(
    "commit: round trip and flush, median", "commit of a row in Postgres, p50", "s", per=1e-3
)
FLUSH_P99: Final = part(
    "commit, 99th percentile", "commit of a row in Postgres, p99", "s", per=1e-3
)
STATEMENT: Final = part(
    "database's processor, a statement", "Postgres' processor, a statement", "s", per=1e-6
)
ROW: Final = part(
    "database's processor, each changed run in it",
    "Postgres' processor, each change in it",
    "s",
    per=1e-6,
)
CORES: Final = Parameter("cores of the database", 8, "", Assumed("one machine of medium size"))
GROUP: Final = Parameter(
    "changes in one statement, at most", 500, "", Coded(f"{ENGINE}/dispatch.py", "BATCH")
)
HOLD: Final = Parameter(
    "how long a server tries to reach a lost database",
    5.0,
    "s",
    Coded(f"{POSTGRES}/database.py", "patience_s"),
)
RECONNECT: Final = Parameter(
    "longest pause between two tries of it",
    0.8,
    "s",
    Coded(f"{POSTGRES}/wakeups.py", "LONGEST_PAUSE_S"),
)
LOOK: Final = Parameter(
    "how often a server looks for queued runs without a hint",
    0.5,
    "s",
    Coded(f"{ENGINE}/bells.py", "RECHECK_S", per=1 / 4),
)
RECHECK: Final = Parameter(
    "how often a live run's log is read again without a hint",
    1.5,
    "s",
    Coded(f"{ENGINE}/rechecking.py", "ROUND_MS", per=1e-3),
)
LEASE: Final = Parameter(
    "a worker's lease", 5.0, "s", Coded("src/headrace/worker/options.py", "LEASE_S")
)
HINT: Final = part(
    "a hint's way to another server", "hint to another server by Redis, p50", "s", per=1e-3
)
HINT_LOST: Final = Parameter("hints that are lost", 0.001, "", Assumed("nobody promises fewer"))
ELSEWHERE: Final = Parameter(
    "runs that wake at a server without a worker for them", 0.1, "", Assumed("few kinds of workers")
)
REDIS: Final = part("a look-up in Redis", "look-up in Redis, p50", "s", per=1e-3)
REDIS_ENTRY: Final = part("Redis' memory for an entry", "Redis' memory for an entry", "bytes")
APPEND_P50: Final = part(
    "append to S2, median", "append of a record to s2-lite, p50", "s", per=1e-3
)
APPEND_P99: Final = part(
    "append to S2, 99th percentile", "append of a record to s2-lite, p99", "s", per=1e-3
)
RECORD: Final = part("a record in S2, with its headers", "record in S2, as it is metered", "bytes")
S2_APPENDS: Final = Parameter("price of a million appends", 1.0, "$", GUESS)
S2_READS: Final = Parameter("price of a million reads", 0.4, "$", GUESS)
S2_WRITTEN: Final = Parameter("price of a GiB appended", 0.05, "$", GUESS)
S2_STORED: Final = Parameter(
    "price of a GiB stored for a month",
    0.05,
    "$",
    GUESS,
)
DISK: Final = Parameter(
    "database's disk for a waiting run", 568, "bytes", Measured(CROWD, "disk for each run")
)
RAM: Final = Parameter(
    "server's memory when 100,000 runs wait",
    182 * 1024 * 1024,
    "bytes",
    Measured(CROWD, "the server then", per=1024 * 1024),
)
BACK: Final = Parameter(
    "from `kill -9` of all servers until a worker serves again",
    1.78,
    "s",
    Measured(CROWD, "until the worker serves, too"),
)
FIRST_PAUSE: Final = Parameter(
    "a sender's first pause after a failure",
    1.0,
    "s",
    Coded("src/headrace/client/target.py", "first_s"),
)
FACTOR: Final = Parameter("how it grows", 1.6, "", Coded("src/headrace/client/target.py", "factor"))
MOST_PAUSE: Final = Parameter(
    "its longest pause", 30.0, "s", Coded("src/headrace/client/target.py", "most_s")
)
FIRST_RETURN: Final = Parameter(
    "first pause of who follows and was cut off",
    0.1,
    "s",
    Coded("src/headrace/client/following.py", "FIRST_S"),
)
MOST_RETURN: Final = Parameter(
    "their longest pause", 5.0, "s", Coded("src/headrace/client/following.py", "MOST_S")
)
WAIT: Final = Parameter("how long a run waits, mean", 3_600, "s", Assumed("people answer"))
LIVE: Final = Parameter("live runs, of all that wait", 0.01, "", Assumed("one in a hundred"))
CHAT: Final = Parameter(
    "messages to live runs, for each answer", 0.25, "", Assumed("some tasks are chats")
)
BUSY: Final = Parameter(
    "how busy a processor is planned to be", 0.6, "", Assumed("queues grow fast above it")
)
FOLLOWERS: Final = Parameter(
    "connections that follow, of all that wait", 0.02, "", Assumed("some have a page open")
)

ALL: Final = tuple(each for each in list(globals().values()) if isinstance(each, Parameter))
