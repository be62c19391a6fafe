"""How a run looks on a screen.

Must never know: where it comes from.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import UNSET, Raw, Struct, UnsetType
from rich.table import Table
from rich.text import Text

from headrace.cli.screen import emit, out, say
from headrace.errors import (
    RunCanceled,
    RunCrashed,
    RunExpired,
    RunFailed,
    RunTimedOut,
    Verdict,
)
from headrace.wire.views import RecordView, RunView, Status, WaitView

STYLES: Final[Mapping[Status, str]] = {
    "COMPLETED": "green",
    "FAILED": "red",
    "CRASHED": "red",
    "SYSTEM_FAILURE": "red",
    "TIMED_OUT": "red",
    "EXPIRED": "red",
    "CANCELED": "magenta",
    "WAITING": "cyan",
    "EXECUTING": "blue",
    "PENDING_VERSION": "yellow",
}
VERDICTS: Final[Mapping[Status, type[Verdict]]] = {
    "FAILED": RunFailed,
    "SYSTEM_FAILURE": RunCrashed,
    "CRASHED": RunCrashed,
    "CANCELED": RunCanceled,
    "EXPIRED": RunExpired,
    "TIMED_OUT": RunTimedOut,
}
MARGIN: Final = 10


def status(view: RunView) -> Text:
    """Return the run's status in its colour."""
    return Text(view.status, STYLES.get(view.status, ""))


def ago(moment: str | UnsetType) -> str:
    """Say how long ago an instant was."""
    return "" if moment is UNSET else f"{span(_now() - _parsed(moment))} ago"


def ahead(moment: str | UnsetType) -> str:
    """Say how far ahead an instant is."""
    if moment is UNSET:
        return "for ever"
    left = _parsed(moment) - _now()
    return f"in {span(left)}" if left > timedelta() else "now"


def left(moment: str | UnsetType) -> str:
    """Say how long a wait may still last."""
    return "for ever" if moment is UNSET else f"{span(_parsed(moment) - _now())} left"


def span(length: timedelta) -> str:
    """Say a length of time with its two largest units: `3d 4h`, `12s`."""
    seconds = max(0, int(length.total_seconds()))
    counts = (seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60, seconds % 60)
    units = [f"{count}{unit}" for count, unit in zip(counts, "dhms", strict=True)]
    first = next((place for place, count in enumerate(counts) if count), len(counts) - 1)
    last = first + 2 if first + 1 < len(counts) and counts[first + 1] else first + 1
    return " ".join(units[first:last])


def _parsed(moment: str | UnsetType) -> datetime:
    return datetime.fromisoformat(moment) if isinstance(moment, str) else _now()


def _now() -> datetime:
    return datetime.now(UTC)


def text_of(value: Raw | UnsetType) -> str:
    """Return JSON text as text, empty if there is none."""
    return bytes(value).decode() if isinstance(value, Raw) else ""


def table(headings: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """Return a table without lines; nothing in it is cut, or read as markup."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for heading in headings:
        made.add_column(heading, no_wrap=True, overflow="ignore")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return made


def show_runs(views: Iterable[RunView]) -> None:
    """Print runs, a line each."""
    rows = [
        (view.id, status(view), view.task_identifier, ago(view.created_at), ", ".join(view.tags))
        for view in views
    ]
    out.print(table(("run", "status", "task", "started", "tags"), rows), crop=False)


def show_run(view: RunView) -> None:
    """Print all there is to know about one run."""
    say(Text.assemble(view.id, "  ", status(view)))
    for name, value in _facts(view):
        if value:
            say(Text.assemble((f"  {name:<{MARGIN}}", "dim"), value))
    for wait in view.waits:
        say(Text.assemble(("  waits for ", "dim"), _wait(wait)))
    if isinstance(view.blocked, str):
        _show_ways_on(view)
    if not isinstance(view.error, UnsetType):
        trace = view.error.stack_trace
        said = f"{view.error.name or 'Error'}: {view.error.message}"
        shown = trace.rstrip() if isinstance(trace, str) else said
        say(Text.assemble(("  error     ", "dim"), (said, "red")))
        say("\n".join(f"    {line}" for line in shown.splitlines()) if shown != said else "")


def _show_ways_on(view: RunView) -> None:
    """Print the commands that help a blocked run, as they are typed."""
    say(Text("  It goes on when it is told to:", "dim"))
    ways = [(command("runs", "unblock", view.id), "when its code fits again")]
    ways += _acceptable(view)
    ways += [(command("runs", "restart", view.id), "from the top; it forgets what it has done")]
    width = max(len(way) for way, _ in ways)
    for way, when in ways:
        say(Text.assemble(f"    {way:<{width}}  ", (when, "dim")))


def _acceptable(view: RunView) -> list[tuple[str, str]]:
    """Return how each side of the difference is accepted, and both together."""
    if isinstance(view.acceptable, UnsetType):
        return []
    accept = ("runs", "accept", view.id)
    skip = [word for n in view.acceptable.skip for word in ("--skip", str(n))]
    insert = [word for key in view.acceptable.insert for word in ("--insert", key)]
    ways = [(command(*accept, *skip), "the recorded side is gone")]
    if insert:
        ways += [(command(*accept, *insert), "the side of this code is new, or was moved")]
        ways += [(command(*accept, *skip, *insert), "the one has taken the place of the other")]
    return ways


def _facts(view: RunView) -> Iterable[tuple[str, str]]:
    unread = ", ".join(f"{count} in {name}" for name, count in sorted(view.unread.items()))
    yield "task", view.task_identifier
    yield "attempts", str(view.attempt_count)
    yield "triggered", f"{ago(view.created_at)}  ({view.created_at})"
    yield "finished", f"{ago(view.finished_at)}  ({view.finished_at})" if view.finished_at else ""
    yield "executed", f"{view.duration_ms / 1000:.3f}s"
    yield "tags", ", ".join(view.tags)
    yield "delayed", "" if view.delayed_until is UNSET else ahead(view.delayed_until)
    yield "unread", unread
    yield "payload", text_of(view.payload)
    yield "metadata", text_of(view.metadata)
    yield "output", text_of(view.output)
    yield "code", _code(view)
    yield "blocked", view.blocked if isinstance(view.blocked, str) else ""


def _code(view: RunView) -> str:
    """Say how the run goes on with the newest code."""
    code = view.code
    if isinstance(code, UnsetType):
        return ""
    told = isinstance(code.version, str) and code.version != code.newest
    versions = f" (it started on {code.version}, the newest is {code.newest})" if told else ""
    return f"{code.fits}: {code.why}{versions}"


def _wait(wait: WaitView) -> str:
    what = f"stream {wait.stream}" if isinstance(wait.stream, str) else "a moment"
    what = f"token {wait.token}" if isinstance(wait.token, str) else what
    line = f", at {wait.line}" if isinstance(wait.line, str) else ""
    return f"{what}, since {ago(wait.since)}, {left(wait.until)}{line}"


def verdict(view: RunView) -> Verdict | None:
    """Return how the run failed, if it did."""
    kind = VERDICTS.get(view.status)
    if kind is None:
        return None
    how = view.status.lower().replace("_", " ")
    why = "" if isinstance(view.error, UnsetType) else f": {view.error.name}: {view.error.message}"
    hint = f"headrace runs show {view.id}" if why else ""
    return kind(f"run {view.id} {_HOW.get(view.status, how)}{why}", hint=hint)


_HOW: Final[Mapping[Status, str]] = {
    "FAILED": "failed",
    "CANCELED": "was cancelled",
    "CRASHED": "crashed",
    "EXPIRED": "was not started in time",
    "TIMED_OUT": "executed for too long",
}


class Shown(Struct, frozen=True):
    """A record of a stream, for programs."""

    stream: str
    seq: int
    timestamp: int
    data: Raw


def show_record(stream: str, record: RecordView, *, named: bool, as_json: bool) -> None:
    """Print a record as it comes, with its stream's name if others are printed, too."""
    if as_json:
        emit(Shown(stream, record.seq, record.timestamp, record.data))
        return
    prefix = Text(f"{stream}  " if named else "", "dim")
    say(Text.assemble(prefix, bytes(record.data).decode()))


def command(*words: str) -> str:
    """Return a command as it is typed."""
    return shlex.join(("headrace", *words))
