"""Which `Api` the package talks to outside a run, made on first use.

Owns: the one connection of the process. Must never know: how an `Api` is made; whoever assembles
the package says so with `provide`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from headrace.errors import Unavailable
from headrace.ports import Api


@dataclass(slots=True)
class _Connection:
    provider: Callable[[], Api] | None = None
    api: Api | None = None
    home: asyncio.AbstractEventLoop | None = None


_the = _Connection()


def provide(connect: Callable[[], Api] | None) -> Callable[[], Api] | None:
    """Say how to make the connection once it is needed; return how it was made before.

    What is made must serve several event loops.
    """
    before, _the.provider = _the.provider, connect
    return before


def configure(*, api: Api | None = None) -> None:
    """Use `api` from now on; without one, forget the present and make another when needed.

    An `api` given inside an event loop is used on that loop only: `.sync` goes there too.
    """
    _the.api = api
    try:
        _the.home = None if api is None else asyncio.get_running_loop()
    except RuntimeError:
        _the.home = None


async def connected() -> Api:
    """Return the `Api`, connecting if nobody has before."""
    if _the.api is None:
        if _the.provider is None:
            raise Unavailable(
                "no server is known", hint="Call headrace.configure(api=...), or import headrace."
            )
        # It reads files, and must not stop the loop meanwhile.
        made = await asyncio.to_thread(_the.provider)
        if _the.api is None:  # another call may have been faster
            _the.api = made
    return _the.api


def home() -> asyncio.AbstractEventLoop | None:
    """Return the only loop on which the `Api` may be used, if it is so."""
    return _the.home if _the.home is not None and _the.home.is_running() else None
