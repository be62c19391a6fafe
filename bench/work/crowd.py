"""The task that a hundred thousand runs of wait in: the FILE of the worker of `bench.crowd`."""

from __future__ import annotations

import os
from typing import Final, TypedDict

from headrace import streams, task


class Question(TypedDict):
    """What a run has been started with."""

    number: int
    title: str


WARM: Final = "BENCH_CROWD_WARM_S"
replies = streams.input("replies", int)


@task(keep_warm=float(os.environ.get(WARM, "30")))
async def ask(question: Question) -> int:
    """Wait for an answer that may come in a month, with something in a variable."""
    doubled = question["number"] * 2
    reply = await replies.wait(timeout="30d").unwrap()
    return doubled + reply
