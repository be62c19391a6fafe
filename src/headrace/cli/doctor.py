"""`headrace doctor`: is everything in order, and if not, what to do.

Owns: the checks. Must never know: how anything is repaired by itself; it only says.
"""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Annotated, Final

import apsw
import typer
from rich.text import Text

from headrace.app.checks import Check, services
from headrace.app.home import Home, kept_file
from headrace.app.settings import SETTINGS, Settings, database_path, is_shared
from headrace.cli.asking import surroundings
from headrace.cli.running import DatabasePlace, RedisPlace, StreamsPlace, kept_at
from headrace.cli.screen import AsJson, Exit, emit, say, told, waiting_for
from headrace.cli.surveyor import Found, Seen, surveyed
from headrace.errors import HeadraceError, NotFound
from headrace.wire.views import RunQuery

SQLITE: Final = (3, 51, 3)
"""Older ones may corrupt a database when its log is reset."""
ROOM_MIB: Final = 512
SLOW_MS: Final = 50.0
AHEAD_S: Final = 5.0
MARKS: Final = {
    "ok": ("ok   ", "green"),
    "odd": ("odd  ", "yellow"),
    "wrong": ("wrong", "bold red"),
}


@told
async def doctor(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The file with the tasks; that of the last worker."),
    ] = None,
    *,
    database: DatabasePlace = "",
    redis: RedisPlace = "",
    streams: StreamsPlace = "",
    as_json: AsJson = False,
) -> Exit:
    """Check machine, folder, database, server and code; say what to do."""
    if file is not None and not file.is_file():
        raise NotFound(f"there is no file {file}")
    setting, home = surroundings()
    setting = kept_at(setting, database, redis, streams)
    wrong = False
    with waiting_for("looking", quiet=as_json):
        async for check in _all(setting, home, file or kept_file(home)):
            wrong = wrong or check.verdict == "wrong"
            emit(check) if as_json else _show(check)
    return Exit.VERDICT if wrong else Exit.OK


def _show(check: Check) -> None:
    say(Text.assemble(MARKS[check.verdict], f"  {check.name:<10}{check.text}"))
    if check.fix:
        say(f"       {'':<10}{check.fix}")


async def _all(setting: Settings, home: Home, file: Path | None) -> AsyncGenerator[Check]:
    for check in _here(setting, home):
        yield check
    async for check in services(setting, home):
        yield check
    async for check in _server(setting, home):
        yield check
    if file is not None:
        for check in code(file, await surveyed(file)):
            yield check


def _here(setting: Settings, home: Home) -> Iterator[Check]:
    """Check this machine; its file and its disk only where they hold the database."""
    yield _python()
    if is_shared(setting.database):
        yield from (*_settings(), *_folder(home))
        return
    yield _sqlite()
    yield from (*_settings(), *_folder(home), _disk(setting, home), _clock(home))


def _python() -> Check:
    text = f"{platform.python_implementation()} {platform.python_version()}"
    if (3, 11) <= sys.version_info < (3, 15):
        return Check("python", "ok", text)
    return Check("python", "wrong", text, "Headrace runs on CPython 3.11 to 3.14.")


def _sqlite() -> Check:
    version = apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")) >= SQLITE:
        return Check("sqlite", "ok", version)
    return Check("sqlite", "wrong", version, "Install a newer apsw: pip install --upgrade apsw")


def _settings() -> Iterator[Check]:
    given = sorted(name for name in os.environ if name.startswith("HEADRACE_"))
    if odd := [name for name in given if name not in SETTINGS]:
        yield Check("settings", "odd", f"unknown: {', '.join(odd)}", f"Known are {_listed()}.")
    else:
        yield Check("settings", "ok", ", ".join(given) or "none set, so the defaults")


def _listed() -> str:
    return ", ".join(SETTINGS)


def _folder(home: Home) -> Iterator[Check]:
    if not home.path.is_dir():
        yield Check("folder", "odd", f"there is no {home.path} yet", "`headrace dev` makes it.")
        return
    yield _mode("folder", home.path, 0o700)
    if home.key_path.exists():
        yield _mode("key", home.key_path, 0o600)
    elif not os.environ.get("HEADRACE_SECRET_KEY"):
        yield Check("key", "odd", "there is none yet", "`headrace dev` makes it.")


def _mode(name: str, path: Path, wanted: int) -> Check:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & ~wanted == 0:
        return Check(name, "ok", f"{path}, mode {mode:04o}")
    return Check(name, "wrong", f"{path} is open to others: {mode:04o}", f"chmod {wanted:o} {path}")


def _disk(setting: Settings, home: Home) -> Check:
    folder = database_path(setting.database, home.path).absolute().parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free // (1 << 20)
    if free < ROOM_MIB:
        return Check("disk", "wrong", f"{free} MiB free in {folder}", "Make room.")
    if not os.access(folder, os.W_OK):
        return Check("disk", "wrong", f"{folder} cannot be written to", f"chmod u+w {folder}")
    sync = _sync_ms(folder)
    text = f"{free} MiB free in {folder}, {sync:.1f} ms to be sure of a write"
    if sync > SLOW_MS:
        return Check("disk", "odd", text, "Every send waits so long; choose a faster disk.")
    return Check("disk", "ok", text)


def _sync_ms(folder: Path) -> float:
    """Return the median time of a small durable write."""
    path, taken = folder / f".headrace-doctor-{os.getpid()}", list[float]()
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(9):
                started = time.perf_counter()
                file.write(b"x" * 4096)
                os.fsync(file.fileno())
                taken.append(time.perf_counter() - started)
    finally:
        path.unlink(missing_ok=True)
    return sorted(taken)[len(taken) // 2] * 1000


def _clock(home: Home) -> Check:
    """A file from the future means that the clock has been set back since."""
    times = [path.stat().st_mtime for path in home.path.glob("*")] if home.path.is_dir() else []
    ahead = max(times, default=0.0) - time.time()
    if ahead > AHEAD_S:
        text = f"{home.path} was written {ahead:.0f} s from now"
        return Check("clock", "odd", text, "The clock was set back; timers go by the later time.")
    return Check("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S %z"))


def code(file: Path, found: Found) -> Iterator[Check]:
    """Say what of the user's code stays in memory while it waits, or would not be replayed."""
    if not isinstance(found, Seen):
        yield Check("code", "wrong", f"{file}: {found.why}", "Repair it.")
        return
    for left in found.survey.left:
        text = f"{left.name} at {left.file}:{left.line} stays in memory while it waits"
        yield Check("code", "odd", text, f"It cannot be saved: {left.why}.")
    for warned in found.survey.warned:
        yield Check("code", "odd", f"{warned.file}:{warned.line}", f"{warned.text}.")
    if not found.survey.left and not found.survey.warned:
        yield Check("code", "ok", f"all of {file} can be saved while it waits")


async def _server(setting: Settings, home: Home) -> AsyncGenerator[Check]:
    from headrace.app.connecting import BRISK, client  # noqa: PLC0415 - too much for a server

    try:
        api = client(setting, home, BRISK)
    except HeadraceError as error:
        yield Check("server", "wrong", error.message, error.hint)
        return
    try:
        listed = await api.listing()
        page = await api.list_runs(RunQuery(size=1, status=("QUEUED",)))
    except HeadraceError as error:
        yield Check("server", "wrong", error.message, error.hint)
        return
    finally:
        await api.aclose()
    yield Check("server", "ok", api.url)
    if listed is None or not listed.tasks:
        yield Check("worker", "wrong", "none has ever registered", "headrace worker FILE")
    elif page.data:
        text = f"run {page.data[0].id} stands in the queue"
        yield Check("worker", "odd", text, "Does a worker with its task run? headrace worker FILE")
    else:
        names = ", ".join(sorted(task.id for task in listed.tasks))
        yield Check("worker", "ok", f"registered: {names}")
