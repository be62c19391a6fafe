"""What waiting runs cost, in closed form: multiplication, no chance and no queues.

Must never know: how it is shown, or what a simulation says.
"""

from __future__ import annotations

from typing import Final

import msgspec

from bench.scale import parameters as p
from bench.scale.tally import s2_dollars

ROWS_OF_ANSWER: Final = 4
"""Changes of a run that left and is answered: offered, claimed, taken, parked again."""
ROWS_OF_MESSAGE: Final = 1
"""Changes of a live run that takes a message."""
LOOK_STATEMENTS: Final = 2
"""A server's look: whose lease has lapsed, and what is queued."""
RENEWALS: Final = 5
"""In the time of a lease."""
HOUR_S: Final = 3_600.0
DAY_S: Final = 24 * HOUR_S
MONTH_S: Final = 30 * DAY_S
CROWD: Final = 100_000
"""So many runs waited where the server's memory was measured."""


class Case(msgspec.Struct, frozen=True):
    """So many runs wait so long, on average."""

    name: str
    runs: int
    wait_s: float


CASES: Final = (
    Case("a million, an hour", 10**6, HOUR_S),
    Case("a million, a day", 10**6, DAY_S),
    Case("a billion, a day", 10**9, DAY_S),
    Case("a billion, a month", 10**9, MONTH_S),
)


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one case takes, all the time: rates are of a second, dollars of a month."""

    answers: float
    messages: float
    servers: float
    workers: float
    rows: float
    cores_alone: float
    """Cores of the database where each change is a statement of its own."""
    cores_grouped: float
    """The same in full groups: what many changes at once can come down to."""
    disk: float
    memory: float
    redis_live: float
    redis_map: float
    stored: float
    stored_dollars: float
    traffic_dollars: float
    looks_dollars: float
    """If looking again after a live run meant to read S2."""


def cost(case: Case) -> Cost:
    """Multiply."""
    answers = case.runs / case.wait_s
    chats = answers * p.CHAT.value
    rows = answers * ROWS_OF_ANSWER + chats * ROWS_OF_MESSAGE
    live = case.runs * p.LIVE.value
    monthly = (answers + chats) * MONTH_S
    looks = live / p.RECHECK.value * MONTH_S
    stored = case.runs * p.RECORD.value
    loop = answers * (p.LOOP_SEND.value + p.LOOP_RUN.value) + chats * p.LOOP_SEND.value
    loop += live / p.RECHECK.value * p.LOOP_LOOK.value
    return Cost(
        answers=answers,
        messages=answers + chats,
        servers=loop / p.BUSY.value,
        workers=answers * p.START.value / p.BUSY.value,
        rows=rows,
        cores_alone=rows * (p.STATEMENT.value + p.ROW.value) / p.BUSY.value,
        cores_grouped=rows * (p.STATEMENT.value / p.GROUP.value + p.ROW.value) / p.BUSY.value,
        disk=case.runs * p.DISK.value,
        memory=case.runs * p.RAM.value / CROWD,
        redis_live=live * p.REDIS_ENTRY.value,
        redis_map=(case.runs + live) * p.REDIS_ENTRY.value,
        stored=stored,
        stored_dollars=stored / 2**30 * p.S2_STORED.value,
        traffic_dollars=s2_dollars(round(monthly), round(answers * MONTH_S)),
        looks_dollars=looks / 1e6 * p.S2_READS.value,
    )


def idle_rate(servers: int) -> float:
    """Return how many statements a second servers make without any message."""
    renewals = p.WORKERS.value * RENEWALS / p.LEASE.value
    return servers * (LOOK_STATEMENTS / p.LOOK.value + renewals)
