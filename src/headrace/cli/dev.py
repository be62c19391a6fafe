"""`headrace dev`: everything with one command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from headrace.app.home import Home, keep_file
from headrace.app.settings import REPLAYS, SNAPSHOTS, Settings
from headrace.cli.asking import surroundings
from headrace.cli.logs import log_to_stderr
from headrace.cli.running import (
    DatabasePlace,
    RedisPlace,
    StreamsPlace,
    kept_at,
    listening,
    show_server,
    until_told,
)
from headrace.cli.screen import AsJson, Exit, hint, told_for_long
from headrace.cli.signs import Signs
from headrace.cli.supervisor import Notice, Started, Supervisor
from headrace.errors import BadRequest, NotFound

USUAL: Final = Path("tasks.py")


@told_for_long
async def dev(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The file with the tasks; tasks.py.")
    ] = None,
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "",
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="The port.")] = None,
    database: DatabasePlace = "",
    redis: RedisPlace = "",
    streams: StreamsPlace = "",
    snapshot: Annotated[
        str, typer.Option(help="When runs are saved: warm, always (at every wait), off.")
    ] = "",
    replay: Annotated[
        str,
        typer.Option(
            help="When runs are replayed: cold (memory and snapshot lost), always (at every wait)."
        ),
    ] = "",
    as_json: AsJson = False,
) -> Exit:
    """Run engine, API and a worker that reloads when its code changes."""
    from headrace.app.process import serving_many  # noqa: PLC0415 - too much to load for `send`

    path, manner = _file(file), _manner(snapshot, replay)
    setting, home = listening(kept_at(surroundings()[0], database, redis, streams), host, port)
    log_to_stderr()
    with until_told():
        async with serving_many(setting, home, wait_for_tasks=True) as served:
            show_server(served, as_json=as_json)
            keep_file(home, path)
            place = {**_place(setting, home, served.url), **manner}
            notify = _noting(home, Signs(path, as_json, reloads=True))
            await Supervisor(path, place, notify).run(reload=True)
    hint("stopped")
    return Exit.OK


def _noting(home: Home, signs: Signs) -> Callable[[Notice], None]:
    """Show what happens, and keep the number of the worker's process."""

    def notify(notice: Notice) -> None:
        if isinstance(notice, Started):
            home.note("worker.pid", f"{notice.pid}\n".encode())
        signs(notice)

    return notify


OWN: Final = ("HEADRACE_DATABASE", "HEADRACE_REDIS", "HEADRACE_STREAMS", "HEADRACE_S2_TOKEN")
"""What the server alone needs: some hold secrets."""


def _place(setting: Settings, home: Home, url: str) -> dict[str, str]:
    """Say what the worker's environment holds beside ours: which server, and that it is strict."""
    return {
        "HEADRACE_HOME": str(home.path.absolute()),
        "HEADRACE_URL": url,
        "HEADRACE_STRICT": "0" if setting.strict is False else "1",
        **dict.fromkeys(OWN, ""),
    }


def _manner(snapshot: str, replay: str) -> dict[str, str]:
    """Say in the worker's environment when runs are put away, and how they go on."""
    if snapshot not in {"", *SNAPSHOTS}:
        raise BadRequest(f"--snapshot is none of {', '.join(SNAPSHOTS)}: {snapshot[:20]!r}")
    if replay not in {"", *REPLAYS}:
        raise BadRequest(f"--replay is none of {', '.join(REPLAYS)}: {replay[:20]!r}")
    if replay == snapshot == "always":
        raise BadRequest(
            "--replay=always and --snapshot=always exclude each other",
            hint="A run that is saved is not replayed: try one after the other.",
        )
    said = {"HEADRACE_SNAPSHOT": snapshot, "HEADRACE_REPLAY": replay}
    return {name: value for name, value in said.items() if value}


def _file(named: Path | None) -> Path:
    path = named or USUAL
    if not path.is_file():
        what = f"there is no {path} here" if named is None else f"there is no file {path}"
        raise NotFound(what, hint="Name the file with your tasks; `headrace init` writes one.")
    return path
