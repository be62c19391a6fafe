"""What the model and the simulation assume about the world, each number with its source.

Owns: every number that is not a result. Must never know: what is done with them.

Rule 1: a number that a command of this repository measures says where it stands; a test reads it.
Rule 2: every other number is marked as assumed. Measurements of Postgres, Redis and S2 replace it.
"""

from __future__ import annotations

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
ENGINE: Final = "src/headrace/engine"

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
FLUSH_P50: Final = Parameter(
    "commit: round trip and flush, median",
    0.002,
    "s",
    Assumed("Postgres in the same zone, on a network disk"),
)
FLUSH_P99: Final = Parameter("the same, 99th percentile", 0.008, "s", Assumed("as above"))
STATEMENT: Final = Parameter(
    "database's processor, a statement", 200e-6, "s", Assumed("parse, plan kept, locks, reply")
)
ROW: Final = Parameter(
    "database's processor, each changed run in it",
    50e-6,
    "s",
    Assumed("a thin sketch on Postgres took 44 µs"),
)
CORES: Final = Parameter("cores of the database", 8, "", Assumed("one machine of medium size"))
GROUP: Final = Parameter(
    "changes in one statement, at most", 500, "", Coded(f"{ENGINE}/dispatch.py", "BATCH")
)
HOLD: Final = Parameter(
    "how long a server tries to reach a lost database",
    5.0,
    "s",
    Assumed("what the backend for Postgres does"),
)
RECONNECT: Final = Parameter(
    "longest pause between two tries of it", 0.8, "s", Assumed("what the backend does")
)
LOOK: Final = Parameter(
    "how often a server looks for queued runs without a hint",
    0.5,
    "s",
    Coded(f"{ENGINE}/bells.py", "RECHECK_S", per=1 / 4),
)
RECHECK: Final = Parameter(
    "how often a live run's log is read again without a hint",
    1.0,
    "s",
    Assumed("the design's promise for live runs"),
)
LEASE: Final = Parameter(
    "a worker's lease", 5.0, "s", Coded("src/headrace/worker/options.py", "LEASE_S")
)
HINT: Final = Parameter("a hint's way to another server", 0.001, "s", Assumed("pub/sub in a zone"))
HINT_LOST: Final = Parameter("hints that are lost", 0.001, "", Assumed("nobody promises fewer"))
ELSEWHERE: Final = Parameter(
    "runs that wake at a server without a worker for them", 0.1, "", Assumed("few kinds of workers")
)
REDIS: Final = Parameter(
    "a look-up in Redis", 0.0004, "s", Assumed("a round trip in the same zone")
)
REDIS_ENTRY: Final = Parameter(
    "Redis' memory for an entry", 200, "bytes", Assumed("key, value, expiry and table")
)
APPEND_P50: Final = Parameter(
    "append to S2, median", 0.02, "s", Assumed("Express is said to stay below 40 ms")
)
APPEND_P99: Final = Parameter("the same, 99th percentile", 0.04, "s", Assumed("as above"))
RECORD: Final = Parameter(
    "a record in S2, with its headers", 600, "bytes", Assumed("a short JSON value")
)
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
    "first pause of who follows, or of a worker, that was cut off",
    0.1,
    "s",
    Coded("src/headrace/worker/worker.py", "FIRST_PAUSE_S"),
)
MOST_RETURN: Final = Parameter(
    "their longest pause", 5.0, "s", Coded("src/headrace/worker/worker.py", "LONGEST_PAUSE_S")
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
