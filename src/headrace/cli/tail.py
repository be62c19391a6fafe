"""`headrace tail`: what a run reads or puts out, as it comes."""

from __future__ import annotations

from contextlib import aclosing
from typing import Annotated

import anyio
import msgspec
import typer

from headrace.cli.asking import NOTHING, server, stream_named
from headrace.cli.screen import AsJson, hint, told
from headrace.cli.showing import show_record
from headrace.ports import Api
from headrace.wire.registration import StreamSpec


@told
async def tail(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    stream: Annotated[
        str, typer.Argument(metavar="STREAM", help="A stream; without it, all that is put out.")
    ] = "",
    *,
    start: Annotated[int, typer.Option("--from", min=0, help="The first number.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Print what a run puts out, or reads, until it ends."""
    async with server() as api:
        await api.retrieve(run)
        streams = [await stream_named(api, stream)] if stream else await _outputs(api)
        if not streams:
            hint("No task declares an output stream.")
        async with anyio.create_task_group() as group:
            for spec in streams:
                group.start_soon(_tail, api, _Tailed(run, spec, start, not stream, as_json))


async def _outputs(api: Api) -> list[StreamSpec]:
    listed = await api.listing() or NOTHING
    return [spec for spec in listed.streams if not spec.inward]


class _Tailed(msgspec.Struct, frozen=True):
    run: str
    spec: StreamSpec
    start: int
    named: bool
    as_json: bool


async def _tail(api: Api, it: _Tailed) -> None:
    name = it.spec.name
    records = api.tail(it.run, name, inward=it.spec.inward, start=it.start)
    async with aclosing(records):
        async for record in records:
            show_record(name, record, named=it.named, as_json=it.as_json)
