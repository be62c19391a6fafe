"""A network of the campaign's own: loopback addresses, and packets that get lost one way.

Everything that a campaign starts is in one network namespace with nothing else in it. Each server
reaches what it needs by an address of its own, so that it can be cut off alone.

Owns: the namespace, the rules that drop. Must never know: who talks to whom.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from typing import Final

from tests.s2.relay import raise_loopback

INSIDE: Final = "HEADRACE_TEST_APART"
TABLE: Final = "inet headrace"
RULES: Final = f"""
table {TABLE} {{
    chain lost {{ type filter hook input priority 0; policy accept; }}
}}
"""
"""What is dropped has been sent, as far as its sender knows: nobody is told of it."""


@cache
def way_in() -> tuple[str, ...]:
    """Return what is put before a command to give it a network of its own; nothing: none is had."""
    who = () if os.geteuid() == 0 else ("--map-current-user", "--keep-caps")
    before = ("unshare", *who, "--net")
    if shutil.which("unshare") is None or shutil.which("nft") is None:
        return ()
    tried = subprocess.run([*before, "nft", "list", "ruleset"], capture_output=True, check=False)
    return before if tried.returncode == 0 else ()


def is_inside() -> bool:
    """Tell whether this process is in a network of its own."""
    return os.environ.get(INSIDE) == str(os.getpid())


def enter(module: str, arguments: Sequence[str]) -> None:
    """Become `python -m module` in a network of its own, unless this process is that already."""
    if is_inside():
        raise_loopback()
        Wire().lay()
        return
    if not way_in():
        raise RuntimeError(
            "a campaign needs a network of its own: unshare and nft"
            " (scripts/install-test-tools.sh), and the right to use them"
        )
    os.environ[INSIDE] = str(os.getpid())  # it stays the same process
    command = [*way_in(), sys.executable, "-m", module, *arguments]
    os.execvp(command[0], command)  # noqa: S606 - no shell wanted


class Wire:
    """The wire between those who talk by TCP in this network."""

    def lay(self) -> None:
        """Make it, whole."""
        _nft(RULES)

    def drop_requests(self, address: str, port: int) -> None:
        """Lose what is sent to a port."""
        _nft(f"add rule {TABLE} lost ip daddr {address} tcp dport {port} drop")

    def drop_answers(self, address: str, port: int) -> None:
        """Lose what a port sends."""
        _nft(f"add rule {TABLE} lost ip saddr {address} tcp sport {port} drop")

    def mend(self) -> None:
        """Lose nothing from here on."""
        _nft(f"flush chain {TABLE} lost")


def _nft(rules: str) -> None:
    nft = shutil.which("nft") or "nft"
    subprocess.run([nft, "-f", "-"], input=rules.encode(), check=True)
