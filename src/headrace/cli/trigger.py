"""`headrace trigger`: start a run, and stay with it if asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Literal, TypeAlias

import anyio
import typer
from msgspec import Raw
from rich.text import Text

from headrace.cli.asking import NOTHING, json_of, server
from headrace.cli.screen import AsJson, Exit, Tags, emit, hint, say, told, waiting_for
from headrace.cli.showing import left, show_record, status, text_of, verdict
from headrace.errors import Mistake
from headrace.ports import Api
from headrace.wire.views import Debounce, RunView, TriggerOptions, TriggerOrder

DebounceKey: TypeAlias = Annotated[
    str, typer.Option(help="Debounce key: a run that is delayed under it is put off instead.")
]
Trailing: TypeAlias = Annotated[
    bool, typer.Option("--trailing", help="A run that is put off takes this payload over.")
]


@told
async def trigger(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")],
    payload: Annotated[
        str, typer.Argument(metavar="PAYLOAD", help="JSON; @FILE reads a file, - stdin.")
    ] = "",
    *,
    tag: Tags = None,
    delay: Annotated[str, typer.Option(help='Start later: "5m", "2h", a date.')] = "",
    key: Annotated[str, typer.Option(help="Idempotency key: the same key, the same run.")] = "",
    debounce: DebounceKey = "",
    trailing: Trailing = False,
    max_delay: Annotated[str, typer.Option(help="How long a run can be put off at most.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Stay until it ends; print output.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay, and show what it does and puts out.")
    ] = False,
    as_json: AsJson = False,
) -> Exit | None:
    """Start a run of a task and print its id."""
    options = TriggerOptions(
        delay=delay or None,
        idempotency_key=key or None,
        tags=list(tag) if tag else None,
        debounce=_debounced(debounce, delay, max_delay, trailing=trailing),
    )
    body = Raw(json_of(payload)) if payload else Raw()
    order = (
        TriggerOrder(payload=body, options=options) if payload else TriggerOrder(options=options)
    )
    async with server() as api:
        started = await api.trigger(task, order)
        if not (wait or follow):
            _tell_started(started.id, cached=started.is_cached, as_json=as_json)
            return None
        hint(f"run {started.id}")
        try:
            view = await api.whole(await _stay(api, started.id, follow=follow, as_json=as_json))
        except asyncio.CancelledError:
            hint(f"The run goes on: headrace runs show {started.id}")
            raise
    return _tell_ended(view, as_json=as_json)


def _debounced(key: str, delay: str, most: str, *, trailing: bool) -> Debounce | None:
    if not key:
        return None
    if not delay:
        raise Mistake("--debounce needs --delay", hint='Say by how long: --delay "5s".')
    mode: Literal["leading", "trailing"] = "trailing" if trailing else "leading"
    return Debounce(key=key, delay=delay, mode=mode, max_delay=most or None)


def _tell_started(run_id: str, *, cached: bool, as_json: bool) -> None:
    if as_json:
        emit({"id": run_id, "isCached": cached})
        return
    say(run_id)
    if cached:
        hint("It was started before, under this key.")
    hint(f"See it with: headrace runs show {run_id}")


def _tell_ended(view: RunView, *, as_json: bool) -> Exit | None:
    if as_json:
        emit(view)
        return None if view.is_success else Exit.VERDICT
    if (failed := verdict(view)) is not None:
        raise failed
    if output := text_of(view.output):
        say(output)
    return None


async def _stay(api: Api, run_id: str, *, follow: bool, as_json: bool) -> RunView:
    if follow:
        return await _follow(api, run_id, as_json=as_json)
    last: RunView | None = None
    with waiting_for("waiting for the run to end", quiet=as_json):
        async with aclosing(api.subscribe(run_id)) as views:
            async for view in views:
                last = view
    return last or await api.retrieve(run_id)


async def _follow(api: Api, run_id: str, *, as_json: bool) -> RunView:
    """Show every change and everything put out, until the run is over and all is shown."""
    listed = await api.listing() or NOTHING
    async with anyio.create_task_group() as group:
        for stream in listed.streams:
            if not stream.inward:
                group.start_soon(_show_output, api, run_id, stream.name, as_json)
        async with aclosing(_changes(api, run_id)) as views:
            async for view in views:
                _show_change(view, as_json=as_json)
    return await api.retrieve(run_id)


async def _changes(api: Api, run_id: str) -> AsyncGenerator[RunView]:
    """Yield the run whenever it has another status, or other waits or metadata."""
    seen: tuple[object, ...] = ()
    async with aclosing(api.subscribe(run_id)) as views:
        async for view in views:
            facts = (view.status, view.waits, text_of(view.metadata))
            if facts != seen:
                seen = facts
                yield view


async def _show_output(api: Api, run_id: str, stream: str, as_json: bool) -> None:  # noqa: FBT001 - anyio passes by position
    async with aclosing(api.tail(run_id, stream, inward=False)) as records:
        async for record in records:
            show_record(stream, record, named=True, as_json=as_json)


def _show_change(view: RunView, *, as_json: bool) -> None:
    if as_json:
        if not view.is_completed:
            emit(view)
        return
    waits = [
        f"for {wait.stream if isinstance(wait.stream, str) else 'a moment'}, {left(wait.until)}"
        for wait in view.waits
    ]
    say(Text.assemble(status(view), "  ", ", ".join(waits)))
