"""docs/reference/cli.md names every command, option, exit code and setting, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from headrace.app.settings import SETTINGS
from headrace.cli.main import app
from headrace.cli.screen import Exit

PAGE: Final = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text("utf-8")
_SECTION: Final = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_ROW: Final = re.compile(r"^\| `?([^ `|]+)[^|]*\|", re.MULTILINE)
SECTIONS: Final = dict(_SECTION.findall(PAGE))


def _rows(section: str) -> set[str]:
    return {name for name in _ROW.findall(SECTIONS[section]) if name[0] in "-H0123456789"} - {"---"}


def _commands() -> Iterator[tuple[str, TyperCommand]]:
    root = get_command(app)
    yield from _under("headrace", root)


def _under(name: str, command: object) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for child, inner in command.commands.items():
            yield from _under(f"{name} {child}", inner)
    else:
        assert isinstance(command, TyperCommand)
        yield name, command


def _options(command: TyperCommand) -> set[str]:
    return {
        opt
        for param in command.params
        if isinstance(param, TyperOption)
        for opt in param.opts
        if opt != "--help"
    }


def test_every_command_has_a_section_with_its_options() -> None:
    known = dict(_commands())
    assert len(known) > 10
    for name, command in known.items():
        assert _rows(name) == _options(command), name
    titles = {title for title in SECTIONS if title.startswith("headrace ")}
    assert titles == set(known)


def test_every_argument_is_in_the_synopsis() -> None:
    for name, command in _commands():
        arguments = [p for p in command.params if isinstance(p, TyperArgument)]
        words = [
            (argument.name or "").upper() if argument.required else f"[{argument.name}]".upper()
            for argument in arguments
        ]
        assert f"`{' '.join([name, *words])}`" in SECTIONS[name]


def test_every_option_of_the_program_itself_is_there() -> None:
    root = get_command(app)
    options = {opt for param in root.params for opt in param.opts} - {"--help"}
    assert _rows("headrace") == options


def test_every_exit_code_is_there() -> None:
    assert {int(row) for row in _rows("Exit codes")} == {code.value for code in Exit}


def test_every_setting_is_there() -> None:
    assert _rows("Settings") == set(SETTINGS)
