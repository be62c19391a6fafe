"""Draft a post from a press release, wait for a person to approve it, then publish it or not."""

import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headrace import Ok, TimedOut, metadata, step, streams, task


@dataclass
class Release:
    """What a run is started with."""

    path: str


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


approval = streams.input("approval", Approval)
progress = streams.output("progress", str)


@task
async def publish_release(release: Release) -> Outcome:
    """One run. Whatever dies meanwhile, it goes on at the line where it waited."""
    draft = await write_draft(release.path)
    metadata.set("draft", draft)
    await progress.append(f"{draft} is written and needs approval")

    match await approval.wait(timeout="7d"):
        case Ok(output=answer) if answer.approved:
            file = await publish(draft, answer.reviewer)
            await progress.append(f"{file} is published")
            return Outcome("published", file, answer.reviewer)
        case Ok(output=answer):
            await progress.append(f"{draft} is rejected: {answer.note or 'no reason given'}")
            return Outcome("rejected", draft, answer.reviewer)
        case TimedOut():
            await progress.append(f"nobody answered; {draft} stays a draft")
            return Outcome("expired", draft)


@step
def write_draft(path: str) -> str:
    """Write a summary beside the press release."""
    source = Path(path)
    draft = source.with_suffix(".draft.md")
    draft.write_text(summarized(source.read_text("utf-8")), "utf-8")
    return str(draft)


@step
def publish(draft: str, reviewer: str) -> str:
    """Put the draft where everybody sees it."""
    source = Path(draft)
    target = source.parent / "published" / source.name.replace(".draft", "")
    target.parent.mkdir(exist_ok=True)
    target.write_text(f"{source.read_text('utf-8')}\nApproved by {reviewer}.\n", "utf-8")
    return str(target)


def summarized(text: str) -> str:
    """Return the title, the three weightiest sentences, the figures, and how hard it is to read."""
    title, _, body = text.strip().partition("\n")
    sentences = re.split(r'(?<=[.!?"])\s+(?=["A-Z])', " ".join(body.split()))
    words = Counter(re.findall(r"[a-z]{4,}", body.lower()))
    heaviest = sorted(sentences, key=lambda sentence: _weight(sentence, words))[-3:]
    summary = " ".join(sentence for sentence in sentences if sentence in heaviest)
    figures = re.findall(r"\b\d(?:[\d,.]*\d)?\s[a-z]{4,}(?: hours)?", " ".join(sentences))
    listed = "\n".join(f"- {figure}" for figure in dict.fromkeys(figures))
    return f"{title}\n\n{summary}\n\n{listed}\n\n{_reading(sentences)}\n"


def _weight(sentence: str, words: Counter[str]) -> float:
    """A sentence weighs as much as its words are used in the whole text; length counts half."""
    found = re.findall(r"[a-z]{4,}", sentence.lower())
    return sum(words[word] - 1 for word in set(found)) / math.sqrt(max(1, len(found)))


def _reading(sentences: list[str]) -> str:
    """Flesch's formula: 100 is easy, 30 is hard."""
    words = [word for sentence in sentences for word in re.findall(r"[A-Za-z]+", sentence)]
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", word.lower()))) for word in words)
    ease = 206.835 - 1.015 * len(words) / len(sentences) - 84.6 * syllables / len(words)
    return f"{len(words)} words, {len(sentences)} sentences, reading ease {ease:.0f} of 100."
