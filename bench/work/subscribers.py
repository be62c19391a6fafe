"""The task whose runs are followed: the FILE of the worker of `bench.subscribers`."""

from __future__ import annotations

from headrace import streams, task

told = streams.input("told", str)
words = streams.output("words", str)
stop = streams.input("stop", bool)


@task(keep_warm="1h")
async def followed(number: int) -> int:
    """Wait for the end, which is never told, while others send, append and set metadata."""
    await stop.wait(timeout="30d")
    return number
