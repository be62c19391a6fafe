"""`headrace keys`: make, list, revoke, rotate."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Final, TypeAlias

import typer
from rich.text import Text

from headrace.cli.asking import server, surroundings
from headrace.cli.screen import AsJson, emit, hint, out, say, told
from headrace.cli.showing import ago, ahead, command, table
from headrace.ports import KeysApi
from headrace.wire.keys import KeyMade, KeyOrder, KeyView, Rotation

KeyId: TypeAlias = Annotated[str, typer.Argument(metavar="KEY", help="The key's id.")]
Env: TypeAlias = Annotated[
    str, typer.Option(help="Another environment: on the server's machine, past the server.")
]
STYLES: Final = {"active": "green", "ending": "yellow", "ended": "dim"}
commands: Final = typer.Typer(help="Make and end secret keys.", no_args_is_help=True)


@commands.command("create")
@told
async def create(
    *,
    name: Annotated[str, typer.Option(help="What it is for, to tell it from others.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCOPE", help="A restricted key, with this scope; may be given again."
        ),
    ] = None,
    env: Env = "",
    as_json: AsJson = False,
) -> None:
    """Make a secret key; it is shown this once."""
    order = KeyOrder(name=name, scopes=list(scope) if scope else None)
    async with _keys(env) as api:
        made = await api.create_key(order)
    _show_made(made, as_json=as_json)


@commands.command("list")
@told
async def list_keys(*, env: Env = "", as_json: AsJson = False) -> None:
    """List the keys of the environment, the newest first."""
    async with _keys(env) as api:
        listed = await api.list_keys()
    if as_json:
        for view in listed.data:
            emit(view)
        return
    if not listed.data:
        hint("There is none. Make one with: headrace keys create")
        return
    rows = [_row(view) for view in listed.data]
    out.print(table(("id", "key", "", "made", "name", "may"), rows), crop=False)


@commands.command("revoke")
@told
async def revoke(key: KeyId, *, env: Env = "", as_json: AsJson = False) -> None:
    """End a key now, and every public token that it has signed."""
    async with _keys(env) as api:
        view = await api.revoke_key(key)
    if as_json:
        emit(view)
    else:
        say(f"The key {view.hint} opens nothing any more.")


@commands.command("rotate")
@told
async def rotate(
    key: KeyId,
    *,
    grace: Annotated[str, typer.Option(help="So long does the key from before hold.")] = "24h",
    env: Env = "",
    as_json: AsJson = False,
) -> None:
    """Make another key in the place of one; both hold for the grace."""
    async with _keys(env) as api:
        made = await api.rotate_key(key, Rotation(grace=grace))
    _show_made(made, as_json=as_json)
    if not as_json:
        end = command("keys", "revoke", key)
        hint(f"The one from before holds for {grace} more. To end it at once: {end}")


@commands.command("change-master")
@told
async def change_master(*, as_json: AsJson = False) -> None:
    """Let the master key that is set here count for a shared database, where another one did."""
    from headrace.app.keeping import change_master_here  # noqa: PLC0415 - see _keys

    lost = await change_master_here(*surroundings())
    if as_json:
        emit({"event": "changed", "lost": lost})
        return
    say("Servers with this master key may use the database from now on, and no others.")
    if lost:
        hint(f"Root keys that it does not open, and that hold no more: {lost}.")


@asynccontextmanager
async def _keys(env: str) -> AsyncGenerator[KeysApi]:
    """Give the keys of the environment of our own key, or of the one that is named."""
    if not env:
        async with server() as api:
            yield api
        return
    from headrace.app.keeping import keys_here  # noqa: PLC0415 - too much to load for `send`

    async with keys_here(*surroundings(), env) as here:
        yield here


def _show_made(made: KeyMade, *, as_json: bool) -> None:
    if as_json:
        emit(made)
        return
    say(made.secret)
    hint(f"It is shown this once. Its id is {made.key.id}, its environment {made.key.env}.")


def _row(view: KeyView) -> tuple[str | Text, ...]:
    standing = view.standing
    ends = f" {ahead(view.expires_at)}" if standing == "ending" else ""
    scopes = ", ".join(view.scopes) if isinstance(view.scopes, list) else "everything"
    made = ago(view.created_at)
    return (view.id, view.hint, Text(standing + ends, STYLES[standing]), made, view.name, scopes)
