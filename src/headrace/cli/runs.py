"""`headrace runs`: list, show, cancel; and what helps a run that is blocked."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias, get_args

import typer

from headrace.cli.asking import server
from headrace.cli.screen import AsJson, emit, hint, say, told
from headrace.cli.showing import command, show_run, show_runs
from headrace.errors import BadRequest
from headrace.wire.durations import date, duration_ms
from headrace.wire.views import Acceptance, RunQuery, RunView, Status

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
RunId: TypeAlias = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
Statuses: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="STATUS", help="Only with this status; may be given again."),
]
Tasks: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="TASK", help="Only of this task; may be given again.")
]
Tags: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="TAG", help="Only with this tag; may be given again.")
]
Versions: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="VERSION", help="Only those that began on this code; may be given again."),
]
commands: Final = typer.Typer(help="See, stop, change and repeat runs.", no_args_is_help=True)


@commands.command("list")
@told
async def list_runs(
    *,
    status: Statuses = None,
    task: Tasks = None,
    tag: Tags = None,
    version: Versions = None,
    since: Annotated[str, typer.Option(help='Created then or later: "2026-05-01T09:00Z".')] = "",
    until: Annotated[str, typer.Option(help="Created then or before.")] = "",
    period: Annotated[str, typer.Option(help='Created within this time up to now: "24h".')] = "",
    test: Annotated[
        bool | None, typer.Option("--test/--no-test", help="Only test runs, or none of them.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at most.")] = 25,
    after: Annotated[str, typer.Option(help="Go on after this run.")] = "",
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first."""
    query = RunQuery(
        size=limit,
        after=after or None,
        status=tuple(_status(name) for name in status or ()),
        task=tuple(task or ()),
        tag=tuple(tag or ()),
        version=tuple(version or ()),
        since=date(since) if since else None,
        until=date(until) if until else None,
        within_ms=duration_ms(period) if period else None,
        test=test,
    )
    async with server() as api:
        page = await api.list_runs(query)
    if as_json:
        for view in page.data:
            emit(view)
        return
    if not page.data:
        hint("There is none. Start one with: headrace trigger TASK PAYLOAD")
        return
    show_runs(page.data)
    if isinstance(page.pagination.next, str):
        hint(f"There are more: headrace runs list --after {page.pagination.next}")


@commands.command("show")
@told
async def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show all there is to know about a run."""
    async with server() as api:
        view = await api.whole(await api.retrieve(run))
    if as_json:
        emit(view)
    else:
        show_run(view)


@commands.command("cancel")
@told
async def cancel(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Ask a run to stop; its task may clean up first."""
    async with server() as api:
        before = await api.retrieve(run)
        view = before if before.is_completed else await api.cancel(run)
    if as_json:
        emit(view)
    elif before.is_completed:
        say(f"Run {run} was over already: {view.status}.")
    elif view.is_completed:
        say(f"Run {run} is cancelled.")
    else:
        say(f"Run {run} has been told to stop.")


@commands.command("unblock")
@told
async def unblock(run: RunId, *, as_json: AsJson = False) -> None:
    """Replay a blocked run once more, now that its code fits again."""
    async with server() as api:
        view = await api.unblock(run)
    _tell(view, f"Run {run} is replayed.", as_json=as_json)


@commands.command("restart")
@told
async def restart(run: RunId, *, as_json: AsJson = False) -> None:
    """Begin a blocked run again from the top; its journal goes."""
    async with server() as api:
        view = await api.restart(run)
    _tell(view, f"Run {run} begins again.", as_json=as_json)


@commands.command("accept")
@told
async def accept(
    run: RunId,
    *,
    skip: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N", min=0, help="An entry that is not asked for; may be given again."
        ),
    ] = None,
    insert: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="A question out of turn; may be given again."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replay a blocked run in spite of what differs, as you name it."""
    acceptance = Acceptance(skip=tuple(skip or ()), insert=tuple(insert or ()))
    if acceptance == Acceptance():
        raise BadRequest("name what is accepted: --skip N, --insert KEY", hint=_hint(run))
    async with server() as api:
        view = await api.accept(run, acceptance)
    _tell(view, f"Run {run} is replayed with what was accepted.", as_json=as_json)


def _hint(run: str) -> str:
    return f"The difference, and the commands: {command('runs', 'show', run)}"


def _tell(view: RunView, done: str, *, as_json: bool) -> None:
    if as_json:
        emit(view)
        return
    say(done)
    hint(f"See how it goes on: {command('runs', 'show', view.id)}")


def _status(name: str) -> Status:
    for known in STATUSES:
        if name.upper() == known:
            return known
    raise BadRequest(f"{name!r} is no status", hint=f"One of {', '.join(STATUSES)}.")
