"""`headrace serve`: engine and API, without a worker."""

from __future__ import annotations

from typing import Annotated

import typer

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
    until_told_once,
)
from headrace.cli.screen import AsJson, Exit, err, told_for_long
from headrace.cli.signs import fact


@told_for_long
async def serve(
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "",
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="The port.")] = None,
    database: DatabasePlace = "",
    redis: RedisPlace = "",
    streams: StreamsPlace = "",
    as_json: AsJson = False,
) -> Exit:
    """Run engine and API; workers come from elsewhere."""
    from headrace.app.process import serving_many  # noqa: PLC0415 - too much to load for `send`

    setting, home = listening(kept_at(surroundings()[0], database, redis, streams), host, port)
    log_to_stderr()
    with until_told():
        async with serving_many(setting, home) as served:
            show_server(served, as_json=as_json)
            if not as_json:
                fact("workers", f"headrace worker FILE, with HEADRACE_URL={served.url}")
            await until_told_once(served.leave)
    err.print("stopped")
    return Exit.OK
