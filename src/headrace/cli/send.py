"""`headrace send`: a message to a run."""

from __future__ import annotations

from typing import Annotated

import typer

from headrace.cli.asking import json_of, server
from headrace.cli.screen import AsJson, emit, say, told


@told
async def send(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="The input stream's name.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="JSON; @FILE reads a file, - stdin.")],
    *,
    key: Annotated[
        str, typer.Option(help="Idempotency key: sent again, it is the same message.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Send to a run; acknowledged once it is on disk."""
    body = json_of(data)
    async with server() as api:
        receipt = await api.send(run, stream, body, key=key)
    if as_json:
        emit(receipt)
        return
    what = "was there already, as" if receipt.duplicate else "is"
    then = "; the run goes on" if receipt.resumed else ""
    say(f"The message {what} number {receipt.seq} of {stream}{then}.")
