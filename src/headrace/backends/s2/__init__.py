"""Streams in S2: records there, everything else about runs in another store.

S2 knows no idempotency keys, and nothing here is in one transaction with a run: what is sent twice
is found by reading, and what a record leads to is offered once it is durable.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TYPE_CHECKING, Final

from headrace.backends.s2.place import Patience, Place, place_of
from headrace.errors import Mistake
from headrace.ports import Chance, Stores

if TYPE_CHECKING:
    from headrace.backends.s2.examining import Examined

LIBRARY: Final = "s2_sdk"


def open_s2(
    url: str,
    stores: Stores,
    chance: Chance,
    *,
    token: str = "",
    patience: Patience | None = None,
) -> AbstractAsyncContextManager[Stores]:
    """Open `stores` with their streams at `s2://BASIN?endpoint=URL` instead of where they were.

    Bodies that are too long for S2 go to their blobs. Their notebook is asked for the run when a
    stream gets its first record.
    """
    place = place_of(url, token)
    with _library():
        from headrace.backends.s2.opening import opened  # noqa: PLC0415 - not everybody has it
    return opened(place, stores, chance, patience or Patience())


async def examine_s2(url: str, token: str = "") -> Examined:
    """Look at the basin; it is not made."""
    place = place_of(url, token)
    with _library():
        from headrace.backends.s2.examining import examined  # noqa: PLC0415 - not everybody has it
    return await examined(place)


@contextmanager
def _library() -> Generator[None]:
    """Say what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != LIBRARY:
            raise
        raise Mistake(
            "streams in S2 need the library s2-sdk, which is not installed",
            hint="Install it: pip install 'headrace[s2]'",
        ) from None


__all__ = ["Patience", "Place", "examine_s2", "open_s2", "place_of"]
