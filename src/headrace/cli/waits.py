"""`headrace waits`: what every waiting run waits for, and how to answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

from msgspec import UNSET, Struct, UnsetType
from rich.text import Text

from headrace.cli.asking import NOTHING, server
from headrace.cli.sample import sample
from headrace.cli.screen import AsJson, emit, hint, say, told
from headrace.cli.showing import ago, command, left
from headrace.ports import Api
from headrace.wire.views import RunQuery, RunView, WaitView


class Waiting(Struct, frozen=True, omit_defaults=True):
    """One wait of one run, and the command that would end it."""

    run: str
    task: str
    key: str
    since: str
    stream: str | UnsetType = UNSET
    until: str | UnsetType = UNSET
    line: str | UnsetType = UNSET
    token: str | UnsetType = UNSET
    command: str | UnsetType = UNSET


@told
async def waits(*, as_json: AsJson = False) -> None:
    """Show what each waiting run waits for, and how to answer it."""
    none = True
    async with server() as api:
        listed = await api.listing() or NOTHING
        schemas = {stream.name: stream.schema for stream in listed.streams}
        async for view in _waiting(api):
            for wait in _waits(view, schemas):
                none = False
                if as_json:
                    emit(wait)
                else:
                    _show(wait)
    if none and not as_json:
        hint("No run waits.")


async def _waiting(api: Api) -> AsyncGenerator[RunView]:
    after: str | None = None
    while True:
        query = RunQuery(size=100, after=after, status=("WAITING", "EXECUTING"))
        page = await api.list_runs(query)
        for view in page.data:
            yield view
        after = page.pagination.next if isinstance(page.pagination.next, str) else None
        if after is None:
            return


def _waits(view: RunView, schemas: Mapping[str, bytes]) -> list[Waiting]:
    return [
        Waiting(
            run=view.id,
            task=view.task_identifier,
            key=wait.key,
            since=wait.since,
            stream=wait.stream,
            until=wait.until,
            line=wait.line,
            token=wait.token,
            command=_answer(view.id, wait, schemas),
        )
        for wait in view.waits
    ]


def _answer(run_id: str, wait: WaitView, schemas: Mapping[str, bytes]) -> str | UnsetType:
    if isinstance(wait.token, str):
        return command("tokens", "complete", wait.token, sample(b""))
    if not isinstance(wait.stream, str):
        return UNSET
    return command("send", run_id, wait.stream, sample(schemas.get(wait.stream, b"")))


def _show(wait: Waiting) -> None:
    what = wait.stream or wait.token or "a moment"
    line = f" · {wait.line}" if isinstance(wait.line, str) else ""
    say(Text.assemble((wait.run, "bold"), f"  {wait.task}"))
    say(
        Text.assemble(
            "  waits for ", (what, "cyan"), f" · since {ago(wait.since)} · {left(wait.until)}", line
        )
    )
    if isinstance(wait.command, str):
        say(f"  {wait.command}", style="dim")
