"""Finds in the handbook what answers a question. Put a language model here, and the rest stays."""

import math
import re
from collections import Counter
from pathlib import Path

HANDBOOK = Path(__file__).with_name("mill.md")
EVERYTHING = re.compile(r"\b(everything|all about|whole story)\b", re.IGNORECASE)
BLAND = frozenset(
    {"about", "and", "are", "can", "did", "does", "for", "from", "has", "have", "how", "into"}
    | {"its", "many", "much", "that", "the", "there", "this", "was", "were", "what", "when"}
    | {"where", "which", "who", "why", "will", "with", "you", "your"}
)


def answer(question: str) -> str:
    """Return the section that fits best, or all, or what one can ask about."""
    sections = _sections()
    if EVERYTHING.search(question):
        return "\n\n".join(sections.values())
    weights = {title: _weight(question, title, sections) for title in sections}
    best = max(weights, key=lambda title: weights[title])
    if weights[best] > 0:
        return sections[best]
    topics = ", ".join(title.lower() for title in sections)
    return f"The handbook does not say. It knows about: {topics}. Or ask for everything."


def _sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)\n", HANDBOOK.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {
        title: " ".join(body.split()) for title, body in zip(parts[::2], parts[1::2], strict=True)
    }


def _weight(question: str, title: str, sections: dict[str, str]) -> float:
    """A word weighs the more the fewer sections have it; one of the title counts four times."""
    texts = {name: Counter(_words(f"{name} " * 4 + text)) for name, text in sections.items()}
    found = texts[title]
    return sum(
        (1 + math.log(found[word]))
        * math.log(len(texts) / sum(word in one for one in texts.values()))
        for word in set(_words(question))
        if word in found
    )


def _words(text: str) -> list[str]:
    words = re.findall(r"[a-z]{3,}", text.lower())
    return [word.removesuffix("s") for word in words if word not in BLAND]
