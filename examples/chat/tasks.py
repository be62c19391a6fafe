"""A conversation is one run: it answers word by word, can be stopped, and sleeps in between.

`wait` takes the next question: until it comes, days perhaps, the run costs no memory. While an
answer is being written, `on` listens for a stop, which cancels the writing, and only that.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from handbook import answer

from headrace import TimedOut, metadata, step, streams, task

PAUSE_S = 0.04
"""Between two words. A model takes its time by itself."""


@dataclass
class Part:
    """A piece of the conversation. The last one of an answer says how it ended."""

    turn: int
    who: Literal["you", "mill"]
    text: str
    end: Literal["", "whole", "stopped"] = ""


questions = streams.input("questions", str)
stops = streams.input("stops", int)
"""Which answer to stop: a stop that comes too late must not hit the next one."""
talk = streams.output("talk", Part)


@task(keep_warm="10s")
async def chat(question: str) -> int:
    """Answer, and wait for more, until nobody has asked for a week; return how many there were."""
    turn = 0
    while True:
        await talk.append(Part(turn, "you", question))
        metadata.set("answering", turn)
        ended, words = await answered(turn, question)
        await talk.append(Part(turn, "mill", "", ended))
        metadata.set("answering", None)
        metadata.set("last", {"turn": turn, "ended": ended, "words": words})

        match await questions.wait(timeout="7d"):
            case TimedOut():
                return turn + 1
            case following:
                question = following.unwrap()
                turn += 1


async def answered(turn: int, question: str) -> tuple[Literal["whole", "stopped"], int]:
    """Write an answer until it ends or is stopped; return which, and after how many words."""
    written: list[str] = []

    async def parts() -> AsyncIterator[Part]:
        for word in re.findall(r"\S+\s*", answer(question)):
            written.append(word)
            yield Part(turn, "mill", word)
            await asyncio.sleep(PAUSE_S)

    def stop(wanted: int) -> None:
        if wanted == turn:
            writing.cancel()

    async with asyncio.TaskGroup() as group:
        writing = group.create_task(talk.pipe(parts()))
        with stops.on(stop):
            await asyncio.wait({writing})

    # How far it came is a matter of chance: a step keeps it for whoever goes on from here.
    ended, words = await step("ended", lambda: (writing.cancelled(), len(written)))()
    return "stopped" if ended else "whole", words
