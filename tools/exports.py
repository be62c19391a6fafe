"""Write down the public names, so that a change of them is a change of a file.

Owns: which modules are public. Must never know: what any name means.

    python tools/exports.py             writes tests/exports.txt
"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[1] / "tests/exports.txt"
PUBLIC: Final = ("headrace", "headrace.errors", "headrace.ports", "headrace.testing")


def names(module: str) -> list[str]:
    """Return what a module declares public, each of which must be there."""
    loaded = import_module(module)
    declared = sorted(loaded.__all__)
    if missing := [name for name in declared if not hasattr(loaded, name)]:
        raise LookupError(f"{module}.__all__ names what it has not: {', '.join(missing)}")
    return declared


def current() -> str:
    """Return one line for each public name, under its module."""
    return "".join(f"{line}\n" for module in PUBLIC for line in _section(module))


def _section(module: str) -> Iterator[str]:
    yield module
    for name in names(module):
        yield f"    {name}"


if __name__ == "__main__":
    PAGE.write_text(current(), "utf-8")
    print(f"{PAGE.relative_to(Path.cwd())}: {current().count('    ')} names")
