"""An `Api` of the server that this process is meant to talk to.

Owns: which server that is, and with which key. Must never know: how it is served.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from headrace.app import home as homes, settings
from headrace.app.home import USUAL, Home
from headrace.app.settings import Settings
from headrace.app.system import SystemChance, wall_now
from headrace.backends.clocks import CarriedClock
from headrace.client import Client, Patience, Target
from headrace.errors import Unauthorized
from headrace.ports import Api
from headrace.wire.keys import env_of, is_restricted

DEFAULT_PATIENCE = Patience()
BRISK = Patience(attempts=3, first_s=0.2, total_s=20.0)
"""For a person who waits in front of a screen."""


def target(setting: Settings, home: Home, patience: Patience = DEFAULT_PATIENCE) -> Target:
    """Say where the server is and with which key to come."""
    address = home.address()
    url = setting.url or (address.url if address else f"http://{setting.host}:{setting.port}")
    # Workers on the server's own machine take its socket file: no port, fewer steps a message.
    # It is of one environment, and asks for no key: others come as from elsewhere.
    key = _key(setting, home, url)
    socket: Path | None = None
    if address and address.socket and url == address.url and not is_restricted(key):
        socket = Path(address.socket) if env_of(key, USUAL) == address.env else None
    return Target(url, key, socket, patience)


def client(setting: Settings, home: Home, patience: Patience = DEFAULT_PATIENCE) -> Client:
    """Give a client of that server."""
    return Client(target(setting, home, patience), CarriedClock(wall_now()), SystemChance())


@cache
def connect() -> Api:
    """Give the client of this process, as the environment and the nearest home folder say."""
    setting = settings.read(os.environ)
    return client(setting, homes.find(setting.home, Path.cwd()))


def _key(setting: Settings, home: Home, url: str) -> str:
    if setting.key:
        return setting.key
    # A key made for a server on this machine is not carried to another one.
    kept = home.key() if not setting.url or settings.is_loopback(url) else ""
    if kept:
        return kept
    if setting.url and not settings.is_loopback(url):
        raise Unauthorized(f"there is no key for {url}", hint="Set HEADRACE_SECRET_KEY.")
    raise Unauthorized(
        f"there is no key: neither in {home.path}, nor in HEADRACE_SECRET_KEY",
        hint="Run this where `headrace dev` runs, or start it there first.",
    )
