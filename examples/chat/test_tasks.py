"""The task without a page: how an answer is stopped, and what a saved conversation keeps."""

import pytest
import tasks
from tasks import Part, chat, questions, stops, talk

from headrace import Run, runs
from headrace.testing import local

EVERYTHING = "Tell me everything"
ENOUGH = 3
TURNS = 2


async def spoken(run: str, turn: int) -> list[Part]:
    """Return what was said of a turn, up to its end."""
    said: list[Part] = []
    async for part in talk.read(run):
        if part.turn == turn:
            said.append(part)
            if part.end:
                break
    return said


async def words(run: str, turn: int) -> tuple[str, str]:
    """Return the answer of a turn, and how it ended."""
    parts = [part for part in await spoken(run, turn) if part.who == "mill"]
    return "".join(part.text for part in parts), parts[-1].end


async def begun(question: str) -> str:
    """Begin a conversation; return its run, once three words of the answer are there."""
    handle = await chat.trigger(question)
    heard = 0
    async for part in talk.read(handle):
        heard += part.who == "mill"
        if heard == ENOUGH:
            break
    return handle.id


async def test_a_stop_interrupts_the_answer_and_the_next_one_is_whole() -> None:
    async with local(chat, snapshot="always"):
        run = await begun(EVERYTHING)
        await stops.send(run, 0)
        answer, end = await words(run, 0)
        assert end == "stopped"
        assert answer.startswith("The old mill")
        assert "baked for one" not in answer

        await questions.send(run, "Is there bread?")
        answer, end = await words(run, 1)
        assert end == "whole"
        assert "baked for one" in answer


async def test_a_stop_of_an_earlier_answer_does_not_hit_this_one() -> None:
    async with local(chat):
        run = await begun("Do fish pass?")
        assert (await words(run, 0))[1] == "whole"
        await stops.send(run, 0)
        await questions.send(run, "Is there bread?")
        assert (await words(run, 1))[1] == "whole"


async def rested(run: str) -> Run:
    """Return the run once it waits for a question."""
    async for now in runs.subscribe(run):
        if now.status == "WAITING":
            return now
    raise AssertionError(f"{run} is over")


async def test_a_conversation_ends_when_nobody_asks_for_a_week(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "PAUSE_S", 0.0)
    async with local(chat, replay="always") as h:
        run = await begun("Do fish pass?")
        answer, end = await words(run, 0)
        last = {"turn": 0, "ended": end, "words": len(answer.split())}
        assert (await rested(run)).metadata["last"] == last
        await questions.send(run, "Who paid for it?")
        assert (await words(run, 1))[1] == "whole"
        await rested(run)
        await h.advance("8d")
        assert (await runs.retrieve(run)).output == TURNS
