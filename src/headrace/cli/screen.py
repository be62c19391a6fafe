"""What a person or a program sees: lines, tables, JSON, errors, exit codes.

Owns: where things are printed and in which form. Must never know: what any command does.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from enum import IntEnum
from typing import Annotated, Any, Final, ParamSpec, Protocol, TypeAlias

import msgspec
import typer
import uvloop
from rich.console import Console
from rich.text import Text

from headrace.errors import HeadraceError, Trouble, Verdict

P = ParamSpec("P")
PIPE_COLUMNS: Final = 10_000
"""What is piped is never cut to a screen's width."""

DEBUG: Final = "HEADRACE_DEBUG"

AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print JSON, one value a line, for programs.")
]
Tags: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="TAG", help="A tag; may be given again.")
]


class Exit(IntEnum):
    """What a command's exit code says."""

    OK = 0
    VERDICT = 1  # a run did not complete; `doctor` found something wrong
    USAGE = 2
    MISTAKE = 3
    UNAVAILABLE = 4
    INTERNAL = 70
    INTERRUPTED = 130


Command: TypeAlias = Callable[P, Coroutine[Any, Any, Exit | None]]


class Runner(Protocol):
    """Runs a coroutine on an event loop of its own."""

    def __call__(self, main: Coroutine[Any, Any, Exit | None], /) -> Exit | None:
        """Return what it returns."""
        ...


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_COLUMNS
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=stream.isatty())


out: Final = _console()
err: Final = _console(stderr=True)


def say(text: str | Text = "", *, style: str = "") -> None:
    """Print a line for a person. Text is never read as markup."""
    out.print(Text(text, style) if isinstance(text, str) else text)


def hint(text: str) -> None:
    """Print a line that helps a person and would disturb a program."""
    err.print(Text(text, "dim"))


def warn(text: str) -> None:
    """Print a line that a person should not miss."""
    err.print(Text(text, "yellow"))


def emit(value: object) -> None:
    """Print one value as a line of JSON, at once."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


@contextmanager
def waiting_for(what: str, *, quiet: bool = False) -> Generator[None]:
    """Show that something takes its time; nothing where there is no screen."""
    if quiet or not err.is_terminal:
        yield
        return
    with err.status(Text(what)):
        yield


def told(command: Command[P]) -> Callable[P, None]:
    """Make a command of a coroutine: run it, say what went wrong, exit with its code."""
    return _run_by(asyncio.run, command)


def told_for_long(command: Command[P]) -> Callable[P, None]:
    """The same for a command that serves until it is stopped."""
    run = _run_by(uvloop.run, command)

    @functools.wraps(run)
    def serve(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            run(*args, **kwargs)
        except KeyboardInterrupt:
            hint("stopped")
            raise typer.Exit(Exit.INTERRUPTED) from None

    return serve


def _run_by(runner: Runner, command: Command[P]) -> Callable[P, None]:
    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = runner(command(*args, **kwargs))
        except BrokenPipeError:
            # Whoever read our output has had enough; Python would complain again at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(Exit.OK) from None
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            raise typer.Exit(_told(error, as_json=kwargs.get("as_json") is True)) from None
        raise typer.Exit(code or Exit.OK)

    return run


def _told(error: Exception, *, as_json: bool) -> Exit:
    match error:
        case HeadraceError():
            tell(error, as_json=as_json)
            return exit_of(error)
        case ExceptionGroup(exceptions=[first]):
            return _told(first, as_json=as_json)
        case _:
            what = f"{type(error).__name__}: {error}"
            tell(HeadraceError(what, hint="headrace --debug shows where."), as_json=as_json)
            return Exit.INTERNAL


def tell(error: HeadraceError, *, as_json: bool = False) -> None:
    """Say on stderr what went wrong: one sentence, and what to do instead."""
    if as_json:
        facts = {name: fact for name, fact in error.facts.items() if fact not in {None, ""}}
        body = {"error": error.message, "code": error.code, "hint": error.hint, **facts}
        sys.stderr.write(msgspec.json.encode(body).decode() + "\n")
        return
    err.print(Text.assemble(("error ", "bold red"), error.message))
    if error.hint:
        err.print(Text(f"      {error.hint}"))


def exit_of(error: HeadraceError) -> Exit:
    """Return the exit code that says whose fault it was."""
    match error:
        case Verdict():
            return Exit.VERDICT
        case Trouble():
            return Exit.UNAVAILABLE
        case _:
            return Exit.MISTAKE
