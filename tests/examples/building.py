"""An example as a person has it after `npm ci` and `npm run build`, in a folder of its own.

Owns: the copy, and what is started in it. Must never know: what is done with the page.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from tests.fleet.processes import free_port, until
from tests.official_clients import packages
from tests.services.keeper import kept

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NAMED: Final = "HEADRACE_TEST_CHROMIUM"
BUILDING_S: Final = 120.0


def browser() -> str:
    """Return the program of a Chromium; empty where there is none."""
    named = os.environ.get(NAMED)
    return named or next((path for name in BROWSERS if (path := shutil.which(name))), "")


def copied(example: Path, into: Path) -> Path:
    """Copy an example, with its packages as `npm ci` would have put them."""
    place = into / example.name
    shutil.copytree(example, place)
    (place / "node_modules").symlink_to(packages.folder(example) / "node_modules")
    return place


def built(example: Path, into: Path) -> Path:
    """Copy an example, and build its page: types are checked, too."""
    place = copied(example, into)
    done = subprocess.run(
        [*packages.npm(), "run", "build"],
        cwd=place,
        env=with_node(os.environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILDING_S,
    )
    if done.returncode:
        raise AssertionError(f"{example.name} cannot be built:\n{done.stdout}{done.stderr}")
    return place


def with_node(environment: Mapping[str, str]) -> dict[str, str]:
    """Put our node into the path."""
    return {**environment, "PATH": f"{packages.node().parent}:{environment['PATH']}"}


@contextmanager
def backend(place: Path, environment: Mapping[str, str]) -> Generator[str]:
    """Start the example's `app.py`, wait until it serves its page, and yield the address."""
    port = free_port()
    with (place / "app.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=place,
            env={**environment, "PORT": str(port)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        kept(process)
        until(f"{place.name} serves", lambda: process.poll() is not None or answers(port))
        if process.poll() is not None:
            raise AssertionError(f"app.py has ended:\n{(place / 'app.log').read_text()}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    """Tell whether a page is served there."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
