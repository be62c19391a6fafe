"""`headrace worker`: executes the tasks of a file for a server elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headrace.app.home import keep_file
from headrace.cli.asking import surroundings
from headrace.cli.logs import log_to_stderr
from headrace.cli.running import until_told
from headrace.cli.screen import AsJson, Exit, emit, hint, say, told_for_long
from headrace.cli.signs import Signs
from headrace.cli.supervisor import Supervisor
from headrace.errors import NotFound


@told_for_long
async def worker(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file with the tasks.")],
    *,
    reload: Annotated[
        bool, typer.Option("--reload", help="Start anew when a .py file beside it changes.")
    ] = False,
    as_json: AsJson = False,
) -> Exit:
    """Execute the tasks of a file for a server elsewhere."""
    from headrace.app.connecting import target  # noqa: PLC0415 - too much for a server

    if not file.is_file():
        raise NotFound(f"there is no file {file}")
    setting, home = surroundings()
    url = target(setting, home).url
    keep_file(home, file)
    if as_json:
        emit({"event": "working", "url": url})
    else:
        say(f"headrace works for {url}")
    served = False
    log_to_stderr()
    with until_told():
        signs = Signs(file, as_json, reloads=reload)
        await Supervisor(file, {}, signs).run(reload=reload)
        served = True
    if served:
        return Exit.MISTAKE  # it ends by itself only when the file cannot be used
    hint("stopped")
    return Exit.OK
