"""Draft a post from a press release, have a person look at it, and publish it or not.

The page beside this file starts a run, sees the draft being written, and sends the answer.
"""

import asyncio
import math
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headrace import Ok, TimedOut, current_run, metadata, step, streams, task

PAUSE_S = 0.03
"""Between two words: the draft is written at a pace at which it can be read."""


@dataclass
class Release:
    """What a run is started with."""

    text: str


@dataclass
class Approval:
    """What a reviewer answers."""

    approved: bool
    reviewer: str
    note: str = ""


@dataclass
class Outcome:
    """What becomes of the draft."""

    status: Literal["published", "rejected", "expired"]
    file: str
    reviewer: str = ""
    note: str = ""


approval = streams.input("approval", Approval)
draft = streams.output("draft", str)


@task
async def publish_release(release: Release) -> Outcome:
    """One run. Whatever dies meanwhile, it goes on at the line where it waited."""
    metadata.set("stage", "drafting")
    summary = summarized(release.text)
    await draft.pipe(word_by_word(summary))
    file = await save(summary)

    metadata.set("stage", "review")
    match await approval.wait(timeout="7d"):
        case Ok(output=answer) if answer.approved:
            metadata.set("stage", "publishing")
            return Outcome("published", await publish(file, answer.reviewer), answer.reviewer)
        case Ok(output=answer):
            return Outcome("rejected", file, answer.reviewer, answer.note)
        case TimedOut():
            return Outcome("expired", file)


async def word_by_word(text: str) -> AsyncIterator[str]:
    """Yield a text in pieces. What a language model yields would do as well."""
    for word in re.findall(r"\S+\s*", text):
        yield word
        await asyncio.sleep(PAUSE_S)


@step
def save(summary: str) -> str:
    """Keep the draft in a file of its own."""
    file = Path("drafts") / f"{current_run().id}.md"
    file.parent.mkdir(exist_ok=True)
    file.write_text(summary, "utf-8")
    return str(file)


@step
def publish(file: str, reviewer: str) -> str:
    """Put the draft where everybody sees it."""
    target = Path("published") / Path(file).name
    target.parent.mkdir(exist_ok=True)
    target.write_text(f"{Path(file).read_text('utf-8')}\nApproved by {reviewer}.\n", "utf-8")
    return str(target)


def summarized(text: str) -> str:
    """Return the title, the three weightiest sentences, and the figures."""
    title, _, body = text.strip().partition("\n")
    sentences = re.split(r'(?<=[.!?"])\s+(?=["A-Z])', " ".join(body.split()))
    words = Counter(re.findall(r"[a-z]{4,}", body.lower()))
    heaviest = sorted(sentences, key=lambda sentence: _weight(sentence, words))[-3:]
    summary = " ".join(sentence for sentence in sentences if sentence in heaviest)
    figures = re.findall(r"\b\d(?:[\d,.]*\d)?\s[a-z]{4,}(?: hours)?", " ".join(sentences))
    listed = "".join(f"- {figure}\n" for figure in dict.fromkeys(figures))
    return f"# {title}\n\n{summary}\n\n{listed}"


def _weight(sentence: str, words: Counter[str]) -> float:
    """A sentence weighs as much as its words are used in the whole text; length counts half."""
    found = re.findall(r"[a-z]{4,}", sentence.lower())
    return sum(words[word] - 1 for word in set(found)) / math.sqrt(max(1, len(found)))
