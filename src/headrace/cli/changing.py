"""`headrace runs replay`, `reschedule`, `tag`: what is changed of runs from outside."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec import UNSET, Raw

from headrace.cli.asking import json_of, server
from headrace.cli.runs import RunId
from headrace.cli.screen import AsJson, emit, hint, say, told
from headrace.cli.showing import command
from headrace.wire.changes import ReplayOrder


@told
async def replay(
    run: RunId,
    *,
    payload: Annotated[
        str, typer.Option(metavar="JSON", help="Another payload; @FILE reads a file, - stdin.")
    ] = "",
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help="Tags in place of its own; may be given again."),
    ] = None,
    delay: Annotated[str, typer.Option(help='Start later: "5m", "2h", a date.')] = "",
    as_json: AsJson = False,
) -> None:
    """Start a run with what this one was given, and print its id."""
    order = ReplayOrder(
        payload=Raw(json_of(payload)) if payload else UNSET,
        tags=list(tag) if tag else None,
        delay=delay or None,
    )
    async with server() as api:
        started = await api.replay(run, order)
    if as_json:
        emit({"id": started.id})
        return
    say(started.id)
    hint(f"See it with: {command('runs', 'show', started.id)}")


@told
async def reschedule(
    run: RunId,
    delay: Annotated[
        str, typer.Argument(metavar="DELAY", help='From now on, or a date: "5m", "2026-12-24".')
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Have a delayed run begin at another time."""
    async with server() as api:
        view = await api.reschedule(run, delay)
    if as_json:
        emit(view)
    else:
        say(f"Run {run} begins at {view.delayed_until or view.updated_at}.")


@told
async def tag_run(
    run: RunId,
    tags: Annotated[list[str], typer.Argument(metavar="TAGS", help="Tags to add.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Add tags to a run: all of them, or none."""
    async with server() as api:
        now = await api.tag(run, tuple(tags))
    if as_json:
        emit({"id": run, "tags": sorted(now)})
    else:
        say(f"Run {run} has the tags {', '.join(sorted(now))}.")
