"""`python -m tests.openapi.reference`: the page that lists the operations of the contract.

Writes docs/reference/operations.md. Must never know: a route that is not in the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import anyio

from headrace.server.openapi import EVENTS, HELD
from tests.server.house import house

PAGE: Final = Path(__file__).parents[2] / "docs/reference/operations.md"
_HEAD: Final = """# Operations

All that a server answers, listed from `GET /openapi.json`, which has the shapes of bodies and
answers besides; [HTTP](http.md) says what the operations do. Left out of the statuses are those
that any route may answer: {anywhere}. *events* is a stream of server-sent events, whose shapes
the document has under `x-headrace-events`; *held* is an answer that waits for news where the
query asks for that, as the document says under `x-headrace-holds`.
"""

Raw = Mapping[str, Any]


def contract() -> Raw:
    """Return the document of a server."""

    async def read() -> dict[str, object]:
        async with house() as home:
            return (await home.ask("GET", "/openapi.json", key="")).json

    return anyio.run(read)


def text(document: Raw) -> str:
    """Write the page."""
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    everywhere = set[str].intersection(*(set(one["responses"]) for _, one in operations))
    anywhere = sorted(status for status in everywhere if not status.startswith("2"))
    lines = [
        _HEAD.format(anywhere=", ".join(anywhere)),
        "| operation | | credentials | answers |",
        "|---|---|---|---|",
        *(_line(name, operation, set(anywhere)) for name, operation in sorted(operations)),
    ]
    return "\n".join(lines) + "\n"


def _line(name: str, operation: Raw, anywhere: set[str]) -> str:
    credentials = operation["description"].removeprefix("Credentials: ").removesuffix(".")
    statuses = ", ".join(status for status in operation["responses"] if status not in anywhere)
    notes = "".join(f" *{note}*" for note in _notes(operation))
    cells = (f"`{name}`", operation["summary"] + notes, credentials, statuses)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _notes(operation: Raw) -> Iterator[str]:
    contents = (answer.get("content", {}) for answer in operation["responses"].values())
    if any(EVENTS in content for content in contents):
        yield "events"
    elif HELD in operation:
        yield "held"


if __name__ == "__main__":
    PAGE.write_text(text(contract()), "utf-8")
