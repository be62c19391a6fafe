"""`headrace db`: the schema of the database, apart from any server."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import typer

from headrace.cli.asking import surroundings
from headrace.cli.running import DatabasePlace
from headrace.cli.screen import AsJson, emit, hint, say, told, waiting_for

commands: Final = typer.Typer(help="Bring the database up to the present.", no_args_is_help=True)


@commands.callback()
def group() -> None:
    """Bring the database up to the present."""


@commands.command("migrate")
@told
async def migrate(*, database: DatabasePlace = "", as_json: AsJson = False) -> None:
    """Bring the schema up to the present; servers may go on meanwhile."""
    from headrace.app.migrating import migrate as migrated  # noqa: PLC0415 - too much for `send`

    setting, home = surroundings()

    def show(version: int, last: int) -> None:
        if as_json:
            emit({"event": "migrating", "version": version, "of": last})
        else:
            hint(f"schema {version} of {last}")

    with waiting_for("migrating", quiet=as_json):
        done = await migrated(replace(setting, database=database or setting.database), home, show)
    if as_json:
        place = {"event": "migrated", "database": done.database}
        emit({**place, "from": done.before, "version": max(done.before, done.after)})
    elif done.before < done.after:
        say(f"{done.database} has schema {done.after} now; it had {done.before or 'none'}.")
    elif done.before == done.after:
        say(f"{done.database} has schema {done.after}: there is nothing to do.")
    else:
        newer = f"{done.database} has schema {done.before}, newer than the {done.after} known here"
        say(f"{newer}: there is nothing to do.")
