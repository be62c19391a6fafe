"""`headrace tokens`: make, list, show, complete."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, TypeAlias

import typer
from msgspec import UnsetType
from rich.text import Text

from headrace.cli.asking import json_of, server
from headrace.cli.screen import AsJson, Tags, emit, hint, out, say, told
from headrace.cli.showing import MARGIN, ago, ahead, command, table
from headrace.errors import BadRequest
from headrace.wire.tokenviews import (
    TOKEN_STATUSES,
    TokenOrder,
    TokenQuery,
    TokenStatus,
    TokenView,
)

TokenId: TypeAlias = Annotated[str, typer.Argument(metavar="TOKEN", help="The token's id.")]
STYLES: Final = {"WAITING": "cyan", "COMPLETED": "green", "TIMED_OUT": "red"}
commands: Final = typer.Typer(
    help="Make, see and complete tokens that runs wait for.", no_args_is_help=True
)


@commands.command("create")
@told
async def create(
    *,
    timeout: Annotated[
        str, typer.Option(help="How long it can be completed: 1h, 7d, or an ISO date.")
    ] = "",
    key: Annotated[str, typer.Option(help="Idempotency key: again, it is the same token.")] = "",
    tag: Tags = None,
    as_json: AsJson = False,
) -> None:
    """Make a token; say its id, and the address that completes it."""
    order = TokenOrder(timeout=timeout or None, idempotency_key=key or None, tags=tag or None)
    async with server() as api:
        made = await api.create_token(order)
    if as_json:
        emit(made)
        return
    say(made.id)
    if made.is_cached:
        hint("It was there already, under this key.")
    hint(f"Whoever has this address completes it, by a POST: {made.url}")


@commands.command("list")
@told
async def list_tokens(
    *,
    status: Annotated[
        list[str] | None,
        typer.Option(metavar="STATUS", help="Only with this status; may be given again."),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help="Only with this tag; may be given again."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at most.")] = 25,
    after: Annotated[str, typer.Option(help="Go on after this token.")] = "",
    as_json: AsJson = False,
) -> None:
    """List tokens, the newest first."""
    query = TokenQuery(
        size=limit,
        after=after or None,
        status=tuple(_status(name) for name in status or ()),
        tag=tuple(tag or ()),
    )
    async with server() as api:
        page = await api.list_tokens(query)
    if as_json:
        for view in page.data:
            emit(view)
        return
    if not page.data:
        hint("There is none. Make one with: headrace tokens create")
        return
    rows = [
        (view.id, _shown(view), ago(view.created_at), ahead(view.timeout_at), ", ".join(view.tags))
        for view in page.data
    ]
    out.print(table(("token", "status", "made", "ends", "tags"), rows), crop=False)
    if isinstance(page.pagination.next, str):
        hint(f"There are more: headrace tokens list --after {page.pagination.next}")


@commands.command("show")
@told
async def show(token: TokenId, *, as_json: AsJson = False) -> None:
    """Show all there is to know about a token."""
    async with server() as api:
        view = await api.retrieve_token(token)
    if as_json:
        emit(view)
        return
    say(Text.assemble(view.id, "  ", _shown(view)))
    for name, value in _facts(view):
        if value:
            say(Text.assemble((f"  {name:<{MARGIN}}", "dim"), value))


@commands.command("complete")
@told
async def complete(
    token: TokenId,
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="JSON; @FILE reads a file, - stdin.")
    ] = "null",
    *,
    as_json: AsJson = False,
) -> None:
    """Give a token its value; done once it is on disk. The first value stays."""
    body = json_of(data)
    async with server() as api:
        before = await api.retrieve_token(token)
        await api.complete_token(token, body)
        view = await api.retrieve_token(token)
    if as_json:
        emit(view)
    elif before.status == "WAITING" and view.status == "COMPLETED":
        say(f"Token {token} is completed.")
    else:
        say(f"Token {token} was over already: {view.status}.")
        hint(f"Its value: {command('tokens', 'show', token)}")


def _shown(view: TokenView) -> Text:
    return Text(view.status, STYLES[view.status])


def _facts(view: TokenView) -> Iterable[tuple[str, str]]:
    yield "made", f"{ago(view.created_at)}  ({view.created_at})"
    yield "ends", "" if isinstance(view.timeout_at, UnsetType) else ahead(view.timeout_at)
    yield "completed", ago(view.completed_at)
    yield "tags", ", ".join(view.tags)
    yield "key", view.idempotency_key or ""
    yield "output", view.output or ""
    yield "address", view.url


def _status(name: str) -> TokenStatus:
    for known in TOKEN_STATUSES:
        if name.upper() == known:
            return known
    raise BadRequest(f"{name!r} is no status", hint=f"One of {', '.join(TOKEN_STATUSES)}.")
