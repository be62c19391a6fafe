"""Each (state, command) pair, and the kernel's whole answer: what differs, or which refusal."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from headrace.kernel.commands import Fenced, Refused, Stopping
from headrace.kernel.model import (
    Blocked,
    Canceled,
    Cause,
    Completed,
    Crashed,
    Delayed,
    Expired,
    Failed,
    Instant,
    Outcome,
    Over,
    Queued,
    Retrying,
    Running,
    Stop,
    TimedOut,
    Waiting,
)
from tests.kernel.samples import (
    APPROVAL,
    CAUSE,
    COMMANDS,
    FIRST,
    INSERT,
    LATER,
    ME,
    NEXT,
    NOW,
    OTHER,
    RUNS,
    SAME,
    SKIP,
    STANDING,
    STEP,
    Answer,
    Becomes,
    ask,
    becomes,
    ending,
    keeps,
    taken,
)

RAN: Final = {"resumed": None, "ran_ms": 1_050}
"""A run that was resumed 1,000 ms ago executes no more."""
ENDS: Final = {"waits": ()}
TOOK: Final = {"entries": 4, "cursors": {APPROVAL: 3}, "waits": ()}
TAKE: Final = taken(3, STANDING, FIRST)
LEFT: Final = ending(3, STANDING, "cancelled")
STOP: Final = Stop(Instant(32_000), Canceled())
FINISHES: Final = ("complete", "fail", "fail-for-good", "yield", "block")
LOST: Final = Cause("3 workers were lost in a row while they executed this run", "WorkerLost")
YIELDED: Final = Failed(Cause("the task cancelled itself", "CancelledError"))


def over(outcome: Outcome, **changes: object) -> Becomes:
    return becomes(state=Over(outcome, NOW), **changes)


# Nobody holds the run: whatever a worker says is fenced off.
STRANGER: Final[dict[str, Answer]] = dict.fromkeys(
    (
        "stand",
        "stand-again",
        "park",
        "park-behind",
        "leave",
        "leave-nothing",
        "save",
        "save-and-drop",
        "save-and-leave",
        "save-behind",
        "remember",
        "release",
        "complete",
        "fail",
        "fail-for-good",
        "yield",
        "block",
    ),
    Fenced,
)
# Its last holder has finished with it: the finish again is its own, whose reply was lost.
FINISHED: Final[dict[str, Answer]] = STRANGER | dict.fromkeys(
    ("release", "complete", "fail", "fail-for-good", "yield", "block"), SAME
)
IDLE: Final[dict[str, Answer]] = {
    "claim": Refused,
    "lose": Refused,
    "lose-another": Refused,
    "deliver": SAME,
    "deliver-elsewhere": SAME,
    "elapse": SAME,
    "reschedule": Refused,
    "unblock": Refused,
    "restart": Refused,
    "accept": Refused,
}
CLAIMED: Final = becomes(state=Running(OTHER), resumed=NOW, epoch=5)

# What a worker that holds the run may say, whether it executes or waits.
HELD: Final[dict[str, Answer]] = {
    "claim": Refused,
    "lose-another": Refused,
    "deliver-elsewhere": SAME,
    "elapse": SAME,
    "reschedule": Refused,
    "unblock": Refused,
    "restart": Refused,
    "accept": Refused,
    "stand-again": SAME,
    "park-behind": SAME,
    "leave-nothing": SAME,
    "save": keeps(),
    "save-and-drop": keeps(3, base=3),
    "save-and-leave": SAME,
    "save-behind": SAME,
}

TABLE: Final[dict[str, dict[str, Answer]]] = {
    "delayed": IDLE
    | STRANGER
    | {"cancel": over(Canceled()), "reschedule": becomes(state=Delayed(LATER))},
    "queued": IDLE
    | STRANGER
    | {
        "claim": becomes(
            state=Running(OTHER), resumed=NOW, epoch=1, attempt=1, started=NOW, code="v2"
        ),
        "cancel": over(Canceled()),
    },
    "too-old": IDLE | STRANGER | {"elapse": over(Expired()), "cancel": over(Canceled())},
    "resumed": IDLE
    | STRANGER
    | {
        "claim": CLAIMED,
        "deliver": becomes(TAKE, **TOOK),
        "cancel": becomes(stop=STOP),
    },
    "retrying": IDLE | FINISHED | {"cancel": over(Canceled())},
    "running": HELD
    | {
        "lose": becomes(state=Queued(NOW), lost=1, **RAN),
        "deliver": becomes(TAKE, **TOOK),
        "cancel": becomes(stop=STOP),
        "stand": Becomes({"waits": (STANDING, replace(NEXT, since=NOW))}),
        "park": becomes(state=Waiting(ME), **RAN),
        "leave": becomes(LEFT, entries=4, waits=()),
        "remember": becomes(replace(STEP, n=3), entries=4),
        "release": becomes(state=Queued(NOW), **RAN),
        "complete": over(Completed(b'"out"'), **ENDS, **RAN),
        "fail": becomes(
            state=Retrying(Instant(3_000)),
            failures=1,
            deadlines={STANDING.key: STANDING.deadline},
            **ENDS,
            **RAN,
        ),
        "fail-for-good": over(Failed(CAUSE), failures=1, **ENDS, **RAN),
        "yield": over(YIELDED, **ENDS, **RAN),
        "block": becomes(state=Blocked(CAUSE), **RAN),
    },
    "warm": HELD
    | {
        "lose": becomes(state=Waiting(None)),
        "deliver": becomes(TAKE, state=Running(ME), resumed=NOW, **TOOK),
        "cancel": becomes(state=Running(ME), resumed=NOW, stop=STOP),
        "stand": becomes(waits=(STANDING, replace(NEXT, since=NOW, held=True))),
        "park": SAME,
        "leave": becomes(LEFT, state=Running(ME), resumed=NOW, entries=4, waits=()),
        "remember": becomes(replace(STEP, n=3), state=Running(ME), resumed=NOW, entries=4),
        "save-and-leave": keeps(state=Waiting(None)),
        "release": becomes(state=Waiting(None)),
        "complete": over(Completed(b'"out"'), **ENDS),
        "fail": becomes(
            state=Retrying(Instant(3_000)),
            failures=1,
            deadlines={STANDING.key: STANDING.deadline},
            **ENDS,
        ),
        "fail-for-good": over(Failed(CAUSE), failures=1, **ENDS),
        "yield": over(YIELDED, **ENDS),
        "block": becomes(state=Blocked(CAUSE)),
    },
    "cold": IDLE
    | STRANGER
    | {
        "deliver": becomes(TAKE, state=Queued(NOW), **TOOK),
        "cancel": becomes(state=Queued(NOW), stop=STOP),
    },
    "blocked": IDLE
    | FINISHED
    | {
        "deliver": becomes(TAKE, **TOOK),
        "cancel": over(Canceled(), **ENDS),
        "unblock": becomes(state=Queued(NOW)),
        "restart": becomes(state=Queued(NOW), entries=0, cursors={}, waits=()),
        "accept": becomes(
            replace(SKIP, n=3, at=NOW), replace(INSERT, n=4, at=NOW), state=Queued(NOW), entries=5
        ),
    },
    "over": IDLE | FINISHED | {"deliver": Refused, "deliver-elsewhere": Refused, "cancel": SAME},
    "stopping": HELD
    | {
        "lose": becomes(state=Queued(NOW), lost=1, **RAN),
        "deliver": SAME,
        "cancel": SAME,
        "stand": Stopping,
        "park": Stopping,
        "leave": becomes(LEFT, entries=4, waits=()),
        "remember": becomes(replace(STEP, n=3), entries=4),
        "release": becomes(state=Queued(NOW), **RAN),
    }
    | dict.fromkeys(FINISHES, over(Canceled(), stop=None, **ENDS, **RAN))
    | dict.fromkeys(("save", "save-and-drop"), SAME),
    "stopping-queued": IDLE | STRANGER | {"claim": CLAIMED, "cancel": SAME},
}
TABLE["too-long"] = TABLE["stopping"] | dict.fromkeys(
    FINISHES, over(TimedOut(), stop=None, **ENDS, **RAN)
)
# Two workers have been lost with nothing remembered between them, and the run may lose no third.
TABLE["frail"] = TABLE["running"] | {
    "lose": over(Crashed(LOST), **ENDS, **RAN),
    "deliver": becomes(TAKE, lost=0, **TOOK),
    "leave": becomes(LEFT, lost=0, entries=4, waits=()),
    "remember": becomes(replace(STEP, n=3), lost=0, entries=4),
    "fail": becomes(
        state=Retrying(Instant(3_000)),
        failures=1,
        lost=0,
        deadlines={STANDING.key: STANDING.deadline},
        **ENDS,
        **RAN,
    ),
}
TABLE["stopping-frail"] = TABLE["stopping"] | {
    "lose": over(Canceled(), stop=None, **ENDS, **RAN),
    "leave": TABLE["frail"]["leave"],
    "remember": TABLE["frail"]["remember"],
}
TABLE["too-long-frail"] = TABLE["stopping-frail"] | dict.fromkeys(
    ("lose", *FINISHES), over(TimedOut(), stop=None, **ENDS, **RAN)
)

# An end takes the snapshot with it; nothing else does.
TABLE["saved"], TABLE["saved-warm"] = (
    {
        command: replace(answer, changes={**answer.changes, "saved": None})
        if isinstance(answer, Becomes) and isinstance(answer.changes.get("state"), Over)
        else answer
        for command, answer in TABLE[state].items()
    }
    for state in ("running", "warm")
)

PAIRS: Final = [(state, command) for state in RUNS for command in COMMANDS]


@pytest.mark.parametrize(("state", "command"), PAIRS)
def test_a_command_does_what_the_table_says(state: str, command: str) -> None:
    assert ask(RUNS[state], COMMANDS[command]) == TABLE[state][command]


def test_the_table_is_whole() -> None:
    assert {(state, command) for state, row in TABLE.items() for command in row} == set(PAIRS)
