"""The `headrace` command: its subcommands, and what holds for all of them."""

from __future__ import annotations

import os
from importlib.metadata import version as version_of
from typing import Annotated, Final

import typer

from headrace.cli import changing, db, keys, runs, tokens
from headrace.cli.dev import dev
from headrace.cli.doctor import doctor
from headrace.cli.init import init
from headrace.cli.screen import DEBUG, say
from headrace.cli.send import send
from headrace.cli.serve import serve
from headrace.cli.tail import tail
from headrace.cli.trigger import trigger
from headrace.cli.waits import waits
from headrace.cli.worker import worker

app: Final = typer.Typer(
    help="Send typed data to a running, or sleeping, Python task.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - called by position
    if wanted:
        say(version_of("headrace"))
        raise typer.Exit


@app.callback()
def root(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Take the options that come before the command."""
    del version  # its callback has done it
    if debug:
        os.environ[DEBUG] = "1"


for command in (dev, serve, worker, trigger, send, waits, tail, doctor, init):
    app.command()(command)
runs.commands.command("replay")(changing.replay)
runs.commands.command("reschedule")(changing.reschedule)
runs.commands.command("tag")(changing.tag_run)
app.add_typer(runs.commands, name="runs")
app.add_typer(keys.commands, name="keys")
app.add_typer(db.commands, name="db")
app.add_typer(tokens.commands, name="tokens")
